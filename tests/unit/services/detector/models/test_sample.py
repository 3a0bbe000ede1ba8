import numpy as np
import pytest

from services.detector.features.registry import NAMES
from services.detector.models.sample import BARS, TRADES, features_digest, sample_features


def test_the_sample_has_a_value_of_nearly_every_feature() -> None:
    values = sample_features()
    assert values.shape == (TRADES + BARS, len(NAMES))
    assert [name for name, column in zip(NAMES, values.T, strict=True) if np.isnan(column).all()] == []


def test_the_digest_tells_features_and_their_order_apart() -> None:
    assert features_digest(["return_1", "gap_s"]) != features_digest(["gap_s", "return_1"])
    with pytest.raises(ValueError, match="no feature 'x'"):
        features_digest(["x"])
