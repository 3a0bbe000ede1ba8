"""All that models are compared with, in the order of the table; a new one is a file and a line here."""

from services.detector.offline.training.baselines.base import Baseline
from services.detector.offline.training.baselines.outliers import Ecod, HalfSpaceTrees, IsolationForest
from services.detector.offline.training.baselines.plain import (
    Calibrated,
    Evidence,
    PriceChange,
    Random,
    Size,
)

BASELINES: tuple[type[Baseline], ...] = (
    Random,
    PriceChange,
    Size,
    IsolationForest,
    Ecod,
    HalfSpaceTrees,
    Evidence,
    Calibrated,
)
