from collections.abc import Callable

import numpy as np
import pytest
from safetensors.numpy import save

from services.detector.models.lstm_autoencoder import PRINTS, USUAL, LstmAutoencoder
from services.detector.models.manifest import Scaling

FEATURES, HIDDEN, WINDOW = 5, 3, 4
SCALING = Scaling(center=[0.5] * FEATURES, scale=[2.0] * FEATURES)
Weights = dict[str, np.ndarray]


def weights() -> Weights:
    rng = np.random.default_rng(1)

    def drawn(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    return {
        "encoder.input": drawn(FEATURES, 4 * HIDDEN),
        "encoder.recurrent": drawn(HIDDEN, 4 * HIDDEN),
        "encoder.bias": drawn(4 * HIDDEN),
        "decoder.recurrent": drawn(HIDDEN, 4 * HIDDEN),
        "decoder.bias": drawn(4 * HIDDEN),
        "output.weight": drawn(HIDDEN, FEATURES),
        "output.bias": drawn(FEATURES),
        USUAL: np.full(FEATURES, 0.5, np.float32),
        PRINTS: np.array([WINDOW], np.int32),
    }


def windows(count: int) -> np.ndarray:
    drawn = np.random.default_rng(2).normal(size=(count, WINDOW * FEATURES)) * 10
    drawn[0, : 2 * FEATURES] = np.nan  # the session's second print
    return drawn.astype(np.float32)


def model(changed: Weights | None = None) -> LstmAutoencoder:
    return LstmAutoencoder(save({**weights(), **(changed or {})}), FEATURES, SCALING)


def expected_error(w: Weights, window: np.ndarray) -> np.ndarray:
    """Return the squared errors of the last print, by the textbook's formulas in double precision."""
    z = (np.nan_to_num(window.reshape(WINDOW, FEATURES), nan=0.5).astype(float) - 0.5) / 2.0
    x = np.sign(z) * np.log1p(np.abs(z))
    h, c = np.zeros((2, HIDDEN))

    def step(gates: np.ndarray) -> None:
        nonlocal h, c
        enter, keep, new, leave = np.split(gates, 4)
        c = c / (1 + np.exp(-keep)) + np.tanh(new) / (1 + np.exp(-enter))
        h = np.tanh(c) / (1 + np.exp(-leave))

    for given in x:
        step(given @ w["encoder.input"] + h @ w["encoder.recurrent"] + w["encoder.bias"])
    step(h @ w["decoder.recurrent"] + w["decoder.bias"])
    error: np.ndarray = (h @ w["output.weight"] + w["output.bias"] - x[-1]) ** 2 / 0.5
    return error


def test_the_error_is_that_of_the_formulas() -> None:
    found, rows = model(), windows(20)
    for row, raw, share in zip(rows, found.raw(rows), found.contributions(rows), strict=True):
        error = expected_error(weights(), row)
        assert raw == pytest.approx(np.log(error.mean()), abs=1e-4)
        np.testing.assert_allclose(share, error / error.sum(), atol=1e-4)


def test_a_print_has_the_same_bits_in_any_batch() -> None:
    found, rows = model(), windows(50)
    one_by_one = [found.raw(rows[at : at + 1])[0] for at in range(len(rows))]
    assert one_by_one == found.raw(rows).tolist()


def test_no_rows_have_no_scores() -> None:
    nothing = np.zeros((0, WINDOW * FEATURES), np.float32)
    assert model().raw(nothing).shape == (0,)
    assert model().contributions(nothing).shape == (0, FEATURES)


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (lambda: LstmAutoencoder(b"{}", FEATURES, SCALING), "safetensors cannot read it"),
        (lambda: LstmAutoencoder(save({"a": np.zeros(1)}), FEATURES, SCALING), "its tensors are a,"),
        (lambda: LstmAutoencoder(save(weights()), FEATURES + 1, SCALING), "its encoder.input is float32"),
        (lambda: model({USUAL: np.zeros(FEATURES, np.float32)}), "its usual_error must be above 0"),
        (
            lambda: model({"output.bias": np.full(FEATURES, np.nan, np.float32)}),
            "its output.bias is float32",
        ),
        (lambda: model({PRINTS: np.array([0], np.int32)}), "its windows have"),
        (lambda: LstmAutoencoder(save(weights()), FEATURES, Scaling()), "its manifest does not scale"),
    ],
)
def test_what_is_no_autoencoder_of_these_features_is_refused(
    made: Callable[[], LstmAutoencoder], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        made()
