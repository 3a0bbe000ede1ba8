"""Trains the LSTM autoencoder: windows go to JAX in an environment of its own, weights come back."""

import hashlib
import platform
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from services.common.errors import TapewatchError
from services.detector.models.lstm_autoencoder import PRINTS, USUAL, WEIGHTS
from services.detector.models.lstm_kernel import scaled
from services.detector.models.manifest import Scaling
from services.detector.offline.training.kinds.autoencoder.environment import JAX
from services.detector.offline.training.kinds.base import Fitted, OnRound, Trainer
from services.detector.offline.training.rows import FEATURES, Rows

TRAIN_WINDOWS, LATER_WINDOWS = 32_768, 8_192
"""Drawn of the ordinary trades, each as often as it stands for others."""
MIDDLE = (0.25, 0.75)
DEVIATIONS = 1.349
"""Between these two quantiles of a normal distribution."""
LEAST_USUAL = 0.01
"""A feature that is given back better than this would be all that counts."""
ONE_THREAD = {
    "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "OMP_NUM_THREADS": "1",
}
_FIT = Path(__file__).with_name("fit.py")


class AutoencoderTrainer(Trainer):
    """See `Trainer`. It learns from ordinary trades alone; the labels calibrate it."""

    kind = "autoencoder"
    threads = 1
    window = 8

    def __init__(self) -> None:
        if not JAX.is_installed():
            raise TapewatchError(
                "Training a model of the kind autoencoder needs JAX in an environment of its own.",
                "Make it, once: make autoencoder.",
            )
        self.settings = {
            "hidden": 24,
            "batch": 128,
            "rate": 0.003,
            "passes": 30,
            "patience": 3,
        }
        self._known: dict[bytes, Fitted] = {}

    def fit(self, train: Rows, stop: Rows, seed: int, on_round: OnRound) -> Fitted:
        """See `Trainer`."""
        rng = np.random.default_rng(seed)
        # What the report leaves out are mostly anomalies, which change nothing here.
        learnt, later = (
            _drawn(rows, count, rng).reshape(-1, self.window, len(FEATURES))
            for rows, count in ((train, TRAIN_WINDOWS), (stop, LATER_WINDOWS))
        )
        drawn = hashlib.sha256(learnt.tobytes() + later.tobytes()).digest()
        if drawn not in self._known:
            self._known[drawn] = self._fit(learnt, later, seed, on_round)
        return self._known[drawn]

    def _fit(self, learnt: np.ndarray, later: np.ndarray, seed: int, on_round: OnRound) -> Fitted:
        scaling = scaling_of(learnt[:, -1])
        center, scale = np.array(scaling.center), np.array(scaling.scale)
        later = scaled(later, center, scale)
        found = self.fitted(scaled(learnt, center, scale), later, seed, on_round)
        usual = ((found["last"] - later[:, -1]) ** 2).mean(axis=0)
        weights = {name: found[name] for name in WEIGHTS}
        weights[USUAL] = np.maximum(usual, LEAST_USUAL).astype(np.float32)
        weights[PRINTS] = np.array([self.window], np.int32)
        return Fitted(save(weights), scaling, int(found["rounds"]))

    def fitted(
        self, train: np.ndarray, later: np.ndarray, seed: int, on_round: OnRound
    ) -> dict[str, np.ndarray]:
        """Run `fit.py` on scaled windows, float32, shapes (n, prints, features) and (m, prints, features).

        Returns
        -------
        dict
            `WEIGHTS`; `rounds`; and `last`, the last prints of `later` as JAX gives them back.

        Raises
        ------
        TapewatchError
            It failed; the message has its last words.
        """
        with tempfile.TemporaryDirectory(prefix="tapewatch-train-") as folder:
            source, target = Path(folder, "in.npz"), Path(folder, "out.npz")
            given: dict[str, Any] = {"train": train, "later": later, "seed": seed, **self.settings}
            np.savez(source, **given)
            with Path(folder, "errors").open("w+") as errors:
                program = subprocess.Popen(
                    [str(JAX.python), str(_FIT), str(source), str(target)],
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    text=True,
                    env=JAX.variables() | ONE_THREAD,
                )
                with program:
                    for line in program.stdout or ():
                        on_round(int(line.split()[0]), int(self.settings["passes"]))
                errors.seek(0)
                said = errors.read().strip()
            if program.returncode != 0:
                raise TapewatchError(
                    f"JAX could not train the autoencoder: {said[-500:]}",
                    "Make its environment again: delete out/autoencoder-venv, then make autoencoder.",
                )
            with np.load(target) as found:
                return dict(found)

    def versions(self) -> dict[str, str]:
        """See `Trainer`."""
        packages = ("jax", "jaxlib", "optax", "numpy")
        return {"python": platform.python_version()} | {name: JAX.version(name) for name in packages}


def scaling_of(rows: np.ndarray) -> Scaling:
    """Return each feature's median and spread: that of its middle half, else its standard deviation.

    Parameters
    ----------
    rows
        Float32, shape (n, features), not a number where one is not defined.
    """
    values = np.nan_to_num(rows.astype(np.float64))
    low, center, high = np.quantile(values, (MIDDLE[0], 0.5, MIDDLE[1]), axis=0)
    spread, deviation = (high - low) / DEVIATIONS, values.std(axis=0)
    scale = np.where(spread > 0, spread, np.where(deviation > 0, deviation, 1.0))
    return Scaling(center=center.tolist(), scale=scale.tolist())


def _drawn(rows: Rows, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw ordinary trades, each as often as it stands for others, shape (count, features)."""
    ordinary = np.flatnonzero(rows.label == 0)
    weight = rows.weight[ordinary]
    drawn: np.ndarray = rows.values[rng.choice(ordinary, count, p=weight / weight.sum())]
    return drawn
