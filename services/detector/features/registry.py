"""All features: a new one is an entry in one of these lists, or a file with a list and a line here."""

from services.detector.features import bars, measures, prices, sizes, times
from services.detector.features.feature import Feature

FEATURES: tuple[Feature, ...] = (
    *prices.FEATURES,
    *sizes.FEATURES,
    *times.FEATURES,
    *measures.FEATURES,
    *bars.FEATURES,
)
"""In the order of the columns."""

NAMES = tuple(feature.name for feature in FEATURES)
