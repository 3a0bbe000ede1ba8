"""Trains one model: on some days, stopped and calibrated by a later one."""

from typing import NamedTuple

import numpy as np

from services.common.errors import TapewatchError
from services.detector.models.base import TrainedModel
from services.detector.models.kinds import load_model
from services.detector.models.manifest import Scaling
from services.detector.offline.training.calibrate import calibrated
from services.detector.offline.training.judge import JudgedDay
from services.detector.offline.training.kinds.base import Trainer
from services.detector.offline.training.rows import COLUMNS, FEATURES, Rows
from services.detector.offline.training.stacking import Stack, fit_stack

PIECE = 50_000


class Learnt(NamedTuple):
    """A trained model.

    Parameters
    ----------
    content
        The bytes of its file.
    scaling
        With the calibration.
    rounds
        How long it has learnt.
    model
        The same, loaded.
    stack
        How it is put together with the evidence.
    """

    content: bytes
    scaling: Scaling
    rounds: int
    model: TrainedModel
    stack: Stack

    def raw(self, judged: JudgedDay) -> np.ndarray:
        """Return the raw output of a day's trades, float64, shape (n,)."""
        pieces = [
            self.model.raw(judged.features[start : start + PIECE][:, COLUMNS])
            for start in range(0, len(judged.features), PIECE)
        ]
        return np.concatenate(pieces) if pieces else np.zeros(0)


def learn(trainer: Trainer, train: Rows, stop: Rows, seed: int, true_rate: float) -> Learnt:
    """Train and calibrate a model.

    Parameters
    ----------
    trainer
        The kind.
    train, stop
        What it learns from, and the later day.
    seed
        Random seed.
    true_rate
        See `calibrated`.

    Raises
    ------
    TapewatchError
        Either has no anomaly, or nothing else.
    """
    for rows, use in ((train, "to learn from"), (stop, "that stop it")):
        if not 0 < rows.label.sum() < len(rows):
            raise TapewatchError(
                f"The days {use} have {int(rows.label.sum()):,} trades of anomalies among {len(rows):,}.",
                "Give more days, or other labels: --labels injected.",
            )
    fitted = trainer.fit(train, stop, seed)
    model = load_model(trainer.kind, fitted.model, len(FEATURES), fitted.scaling)
    raw = model.raw(stop.values)
    scaling = calibrated(fitted.scaling, raw, stop.label, stop.weight, true_rate)
    return Learnt(fitted.model, scaling, fitted.rounds, model, fit_stack(stop, raw))
