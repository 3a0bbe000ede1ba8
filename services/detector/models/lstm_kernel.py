"""The compiled forward pass of an LSTM autoencoder; every sum has a fixed order, whatever the batch."""

from math import exp, log, log1p

import numpy as np
from numba import njit

LEAST_ERROR = 1e-12


@njit(cache=True)
def scaled(windows: np.ndarray, center: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return scaled features, float32, shape (n, prints, features), 0 where one is not defined.

    Far values are drawn in by a logarithm, since tapes have tails that no model could follow.

    Parameters
    ----------
    windows
        Float32, shape (n, prints, features).
    center, scale
        What is subtracted and divided by, float64, shape (features,).
    """
    found = np.zeros(windows.shape, np.float32)
    for n in range(windows.shape[0]):
        for t in range(windows.shape[1]):
            for f in range(windows.shape[2]):
                z = (windows[n, t, f] - center[f]) / scale[f]
                if z >= 0.0:
                    found[n, t, f] = log1p(z)
                elif z < 0.0:
                    found[n, t, f] = -log1p(-z)
    return found


@njit(cache=True)
def reconstructed(
    windows: np.ndarray,
    encoder_input: np.ndarray,
    encoder_recurrent: np.ndarray,
    encoder_bias: np.ndarray,
    decoder_recurrent: np.ndarray,
    decoder_bias: np.ndarray,
    output_weight: np.ndarray,
    output_bias: np.ndarray,
) -> np.ndarray:
    """Return the decoder's first step, which gives the last print back: float32, shape (n, features).

    Parameters
    ----------
    windows
        Scaled, float32, shape (n, prints, features).
    encoder_input, encoder_recurrent, encoder_bias
        Float32, shapes (features, 4 h), (h, 4 h), (4 h,).
    decoder_recurrent, decoder_bias
        Float32, shapes (h, 4 h), (4 h,).
    output_weight, output_bias
        Float32, shapes (h, features), (features,).
    """
    hidden = decoder_recurrent.shape[0]
    found = np.empty((windows.shape[0], windows.shape[2]), np.float32)
    gates = np.empty(4 * hidden, np.float32)
    h = np.empty(hidden, np.float32)
    c = np.empty(hidden, np.float32)
    for n in range(windows.shape[0]):
        h[:] = 0.0
        c[:] = 0.0
        for t in range(windows.shape[1]):
            gates[:] = encoder_bias
            _add(gates, windows[n, t], encoder_input)
            _add(gates, h, encoder_recurrent)
            _step(gates, h, c)
        gates[:] = decoder_bias
        _add(gates, h, decoder_recurrent)
        _step(gates, h, c)
        found[n] = output_bias
        _add(found[n], h, output_weight)
    return found


@njit(cache=True)
def log_mean(errors: np.ndarray) -> np.ndarray:
    """Return the logarithm of each row's mean, float64, shape (n,); `errors` are float64, (n, features)."""
    found = np.empty(len(errors))
    for n in range(len(errors)):
        total = 0.0
        for error in errors[n]:
            total += error
        found[n] = log(max(total / errors.shape[1], LEAST_ERROR))
    return found


@njit(cache=True)
def _add(sums: np.ndarray, values: np.ndarray, weight: np.ndarray) -> None:
    """Add `values @ weight`; the inner loop runs over the sums, so none of them is cut into parts."""
    for i in range(len(values)):
        value = values[i]
        for j in range(len(sums)):
            sums[j] += value * weight[i, j]


@njit(cache=True)
def _step(gates: np.ndarray, h: np.ndarray, c: np.ndarray) -> None:
    """Move the state by one step of an LSTM; gates are input, forget, cell, output."""
    count = len(h)
    for j in range(count):
        c[j] = _sigmoid(gates[count + j]) * c[j] + _sigmoid(gates[j]) * _tanh(gates[2 * count + j])
        h[j] = _sigmoid(gates[3 * count + j]) * _tanh(c[j])


@njit(cache=True)
def _sigmoid(x: np.float32) -> np.float32:
    return np.float32(1.0) / (np.float32(1.0) + np.float32(exp(-x)))


@njit(cache=True)
def _tanh(x: np.float32) -> np.float32:
    return np.float32(2.0 * _sigmoid(np.float32(2.0) * x) - 1.0)
