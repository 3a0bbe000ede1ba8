"""Trains one model: on some days, stopped and calibrated by a later one."""

from typing import NamedTuple

import numpy as np

from services.common.errors import TapewatchError
from services.detector.models.base import TrainedModel
from services.detector.models.kinds import load_model
from services.detector.models.manifest import Scaling
from services.detector.offline.training.calibrate import calibrated
from services.detector.offline.training.judge import JudgedDay
from services.detector.offline.training.kinds.base import OnRound, Trainer
from services.detector.offline.training.rows import FEATURES, Rows, windows_of
from services.detector.offline.training.stacking import Stack, fit_stack

PIECE_PRINTS = 50_000


class Learnt(NamedTuple):
    """A trained model.

    Parameters
    ----------
    kind
        The kind of model.
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

    kind: str
    content: bytes
    scaling: Scaling
    rounds: int
    model: TrainedModel
    stack: Stack

    def raw(self, judged: JudgedDay) -> np.ndarray:
        """Return the raw output of a day's trades, float64, shape (n,)."""
        prints = self.model.window
        step = PIECE_PRINTS // prints
        rows = np.arange(len(judged.features))
        pieces = [
            self.model.raw(windows_of(judged, rows[start : start + step], prints))
            for start in range(0, len(rows), step)
        ]
        return np.concatenate(pieces) if pieces else np.zeros(0)


def learn(
    trainer: Trainer, train: Rows, stop: Rows, seed: int, true_rate: float, on_round: OnRound
) -> Learnt:
    """Train and calibrate a model.

    Parameters
    ----------
    trainer
        The kind.
    train, stop
        What it learns from, and the later day; windows as long as the kind's, or longer.
    seed
        Random seed.
    true_rate
        See `calibrated`.
    on_round
        See `Trainer.fit`.

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
    train, stop = train.last(trainer.window), stop.last(trainer.window)
    fitted = trainer.fit(train, stop, seed, on_round)
    model = load_model(trainer.kind, fitted.model, len(FEATURES), fitted.scaling)
    raw = model.raw(stop.values)
    scaling = calibrated(fitted.scaling, raw, stop, true_rate)
    return Learnt(trainer.kind, fitted.model, scaling, fitted.rounds, model, fit_stack(stop, raw))
