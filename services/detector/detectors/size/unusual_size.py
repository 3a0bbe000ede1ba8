"""Unusual Size: see `calibrated.size_measure` for what is measured."""

import numpy as np

from services.detector.detectors.base import Flags
from services.detector.detectors.core.detector import CalibratedDetector
from services.detector.detectors.core.explain import contributions_of, features_of, once_in
from services.detector.detectors.core.state import SIZE
from services.detector.detectors.core.tail import score_of
from services.detector.engine.batch import Batch


class UnusualSize(CalibratedDetector):
    """Flags sizes that neither the mean of the last trades nor the moment explains, by how rare they are."""

    name = "unusual_size"

    def flag(self, batch: Batch) -> Flags:
        """See `Detector`; value, mean and what would just flag at this moment, in shares."""
        at, found = self._alerts(batch, "size_evidence")
        return Flags(
            at=at,
            score=score_of(found["size_evidence"]),
            value=batch.size[at].astype(np.float64),
            expected=found["mean_size"],
            threshold=found["size_limit"],
            reasons=[_reason(int(size), row) for size, row in zip(batch.size[at], found, strict=True)],
            contributions=contributions_of(found, SIZE),
            features=features_of(found),
        )


def _reason(size: int, row: np.void) -> str:
    mean = row["mean_size"]
    return (
        f"size {size:,} is {size / mean:,.0f} times the mean of {mean:,.0f} shares, and nothing around it "
        f"explains a block; such a surprise is seen {once_in(row['size_rarity'])}"
    )
