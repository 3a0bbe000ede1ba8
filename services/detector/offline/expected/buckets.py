"""Moments put together by time, as a chart draws them."""

import numpy as np

from services.detector.detectors.core.tail import ALERT

FIELDS = (
    *("low", "high", "lowest", "highest"),
    *("size", "usual_size", "size_limit"),
    *("rate", "usual_rate", "rate_limit"),
)
BUCKETS = np.dtype([(name, "f8") for name in FIELDS])
"""The fields of `MOMENTS`, of one bucket."""


def by_bucket(moments: np.ndarray, starts_ns: np.ndarray, ends_ns: np.ndarray) -> np.ndarray:
    """Return what was expected in each bucket; NaN where nothing was compared.

    Where a price, or a size, was flagged, it is what was expected of that one, or of the most striking one.
    Else the prices reach as far as those that any of the bucket's moments does not flag, the recent ones are
    those of its last trade, and the size is the largest. The rate is the one farthest above the usual.

    Parameters
    ----------
    moments
        `MOMENTS`, in order of time.
    starts_ns, ends_ns
        Of n buckets, ns since 1970, int64, shape (n,); an end is not included.

    Returns
    -------
    numpy.ndarray
        `BUCKETS`, shape (n,).
    """
    found = np.full(len(starts_ns), np.array((np.nan,) * len(FIELDS), BUCKETS))
    firsts, lasts = (np.searchsorted(moments["event_ns"], edges) for edges in (starts_ns, ends_ns))
    for row, first, last in zip(found, firsts.tolist(), lasts.tolist(), strict=True):
        inside = moments[first:last]
        priced = inside[np.isfinite(inside["highest"])]
        if len(priced):
            at = _flagged(priced["price_evidence"])
            one = priced[-1 if at is None else at]
            row["low"], row["high"] = one["low"], one["high"]
            row["lowest"] = priced["lowest"].min() if at is None else one["lowest"]
            row["highest"] = priced["highest"].max() if at is None else one["highest"]
        sized = inside[np.isfinite(inside["size_limit"])]
        if len(sized):
            at = _flagged(sized["size_evidence"])
            one = sized[int(sized["size"].argmax()) if at is None else at]
            row["size"], row["usual_size"], row["size_limit"] = (
                one["size"],
                one["usual_size"],
                one["size_limit"],
            )
        paced = inside[np.isfinite(inside["rate_ratio"])]
        if len(paced):
            one = paced[int(paced["rate_ratio"].argmax())]
            row["rate"], row["usual_rate"], row["rate_limit"] = (
                one["rate"],
                one["usual_rate"],
                one["rate_limit"],
            )
    return found


def _flagged(evidence: np.ndarray) -> int | None:
    """Return the place of the most striking trade that is flagged; None if none is."""
    at = int(evidence.argmax())
    return at if evidence[at] >= ALERT else None
