"""Off-Market Price: see `calibrated.price_measure` for what is measured."""

import numpy as np

from services.detector.detectors.base import Flags
from services.detector.detectors.core.detector import CalibratedDetector
from services.detector.detectors.core.explain import contributions_of, features_of, once_in
from services.detector.detectors.core.state import PRICE
from services.detector.detectors.core.tail import score_of
from services.detector.engine.batch import Batch


class OffMarketPrice(CalibratedDetector):
    """Flags prices beyond the envelope of the recent ones, by how rare such a distance is."""

    name = "off_market_price"

    def flag(self, batch: Batch) -> Flags:
        """See `Detector`; value and threshold are prices, expected is the envelope's middle."""
        at, found = self._alerts(batch, "price_evidence")
        limit = np.expm1(found["price_threshold"]) * found["price_scale"]
        return Flags(
            at=at,
            score=score_of(found["price_evidence"]),
            value=batch.price[at],
            expected=0.5 * (found["low"] + found["high"]),
            threshold=np.where(found["distance"] > 0, found["high"] + limit, found["low"] - limit),
            reasons=[_reason(float(price), row) for price, row in zip(batch.price[at], found, strict=True)],
            contributions=contributions_of(found, PRICE),
            features=features_of(found),
        )


def _reason(price: float, row: np.void) -> str:
    distance = row["distance"]
    if distance == 0.0:
        return (
            f"price {price:,.10g} lies off the grid on which nearly all prices of this session are; "
            f"such a price is seen {once_in(row['grid_rarity'])}"
        )
    near = row["high"] if distance > 0 else row["low"]
    low, high = f"{row['low']:,.10g}", f"{row['high']:,.10g}"
    recent = low if low == high else f"{low} to {high}"
    ratio = abs(distance) / max(abs(near), 1e-9)
    share = f"{ratio:.2%}" if ratio >= 0.001 else f"{ratio:.3%}"
    return (
        f"price {price:,.10g} is {share} "
        f"{'above' if distance > 0 else 'below'} the {recent} of the recent trades; "
        f"such a distance is seen {once_in(row['price_rarity'] + row['grid_rarity'])}"
    )
