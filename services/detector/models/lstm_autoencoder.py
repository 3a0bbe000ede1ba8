"""An LSTM autoencoder: how badly a print is given back from a short summary of it and those before it.

Malhotra et al., "LSTM-based Encoder-Decoder for Multi-sensor Anomaly Detection", ICML 2016 workshop on
anomaly detection. An encoder reads the window; a decoder without inputs starts from its last state and gives
the prints back, the newest first, so that one step of it is enough to judge. Weights are safetensors.
"""

from collections.abc import Mapping

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load

from services.detector.models.base import TrainedModel
from services.detector.models.lstm_kernel import LEAST_ERROR, log_mean, reconstructed, scaled
from services.detector.models.manifest import Scaling

WEIGHTS = (
    *("encoder.input", "encoder.recurrent", "encoder.bias"),
    *("decoder.recurrent", "decoder.bias", "output.weight", "output.bias"),
)
"""In the order of the arguments of `reconstructed`; float32."""
USUAL = "usual_error"
"""By feature: the mean squared error of ordinary prints, float32."""
PRINTS = "prints"
"""In a window: one whole number."""
MOST_PRINTS = 1_000


class LstmAutoencoder(TrainedModel):
    """See `TrainedModel`. The raw output is the logarithm of the last print's mean squared error.

    The error of each feature is taken against the one that is usual for it. Contributions are each feature's
    share of the sum, so they add up to 1.
    """

    def __init__(self, model: bytes, features: int, scaling: Scaling) -> None:
        try:
            weights = load(model)
        except SafetensorError as error:
            raise ValueError(f"safetensors cannot read it: {error}") from error
        _check(weights, features, scaling)
        self.window = int(weights[PRINTS][0])
        self._center, self._scale = np.array(scaling.center), np.array(scaling.scale)
        self._weights = tuple(weights[name] for name in WEIGHTS)
        self._usual = weights[USUAL].astype(np.float64)

    def raw(self, rows: np.ndarray) -> np.ndarray:
        """See `TrainedModel`."""
        found: np.ndarray = log_mean(self._errors(rows))
        return found

    def contributions(self, rows: np.ndarray) -> np.ndarray:
        """See `TrainedModel`."""
        errors = self._errors(rows)
        share: np.ndarray = errors / np.maximum(errors.sum(axis=1, keepdims=True), LEAST_ERROR)
        return share

    def _errors(self, rows: np.ndarray) -> np.ndarray:
        """Return the squared error of the last print's features, float64, shape (n, features)."""
        windows = scaled(rows.reshape(len(rows), self.window, len(self._usual)), self._center, self._scale)
        last = reconstructed(windows, *self._weights)
        error = last.astype(np.float64) - windows[:, -1]
        squared: np.ndarray = error * error / self._usual
        return squared


def _check(weights: Mapping[str, np.ndarray], features: int, scaling: Scaling) -> None:
    """Raise ValueError unless all weights are there, and fit each other, the features and the scaling."""
    expected = (*WEIGHTS, USUAL, PRINTS)
    if sorted(weights) != sorted(expected):
        raise ValueError(f"its tensors are {', '.join(sorted(weights))}, and must be {', '.join(expected)}")
    hidden = len(weights["decoder.recurrent"])
    gates = 4 * hidden
    shapes = (
        *((features, gates), (hidden, gates), (gates,), (hidden, gates), (gates,)),
        *((hidden, features), (features,), (features,)),
    )
    for name, shape in zip((*WEIGHTS, USUAL), shapes, strict=True):
        found = weights[name]
        if found.shape != shape or found.dtype != np.float32 or not np.isfinite(found).all():
            raise ValueError(f"its {name} is {found.dtype} {found.shape}, and must be finite float32 {shape}")
    if (weights[USUAL] <= 0).any():
        raise ValueError(f"its {USUAL} must be above 0")
    prints = weights[PRINTS]
    if prints.shape != (1,) or not 1 <= int(prints[0]) <= MOST_PRINTS:
        raise ValueError(f"its windows have {prints.tolist()} prints, and must have 1 to {MOST_PRINTS}")
    if len(scaling.center) != features or len(scaling.scale) != features or min(scaling.scale) <= 0:
        raise ValueError(f"its manifest does not scale its {features} features")
