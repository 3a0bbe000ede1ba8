"""Trained Model: a trade that a model from `tapewatch train` scores as the anomalies it learnt from.

The profile names the model by alias or digest, and its hash has the digest. The score has a tail as every
calibrated part's value has, so that severity means the same, whatever the model's own unit is. A challenger
is judged and counted beside the model, or alone where there is none yet, and never heard.
"""

from typing import Any

import numpy as np
from pydantic import (
    Field,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
)
from pydantic_core import PydanticCustomError

from services.common.errors import TapewatchError
from services.contracts.anomaly import DetectionModel
from services.detector.detectors.base import Flags, StateStore
from services.detector.detectors.context import DetectorContext
from services.detector.detectors.core.detector import JoiningDetector
from services.detector.detectors.core.explain import once_in
from services.detector.detectors.core.state import NATURAL_CROSS
from services.detector.detectors.core.tail import ALERT, TailParameters, score_of, start_tail
from services.detector.detectors.multivariate.recent_prints import JudgedPrints, RecentPrints
from services.detector.detectors.multivariate.score_tails import (
    CHALLENGER,
    JUDGED,
    MODEL,
    ROLES,
    STATE,
    TAIL,
    judge_scores,
)
from services.detector.detectors.serialize import one_record
from services.detector.detectors.tally import ModelTally
from services.detector.engine.batch import Batch, SessionKey
from services.detector.engine.slots import grown
from services.detector.features.features import Features
from services.detector.features.registry import NAMES
from services.detector.features.state import STATE as FEATURES_STATE
from services.detector.features.words import words_of
from services.detector.models.base import probabilities
from services.detector.models.drift import DriftCounter
from services.detector.models.folder import StoredModel
from services.detector.models.manifest import TAIL_SHARE, Ordinary
from services.detector.models.sample import rows_of
from services.detector.models.serving import served_model, verified_address

TOLD, WORDED = 5, 3
"""So many features have contributions, and so many are named in the sentence: those that add most."""
SAMPLED = 128
"""Trades of a batch, evenly chosen, whose features are compared with the training days'."""


class TrainedModelParameters(TailParameters, tail_probability=TAIL_SHARE, join_s=1.0):
    """Parameters of `TrainedModelDetector`; a profile's JSON, and so its hash, leaves the challenger out."""

    model: str | None = Field(None, description="the model: `NAME@champion`, or `NAME@` and its digest")
    challenger: str | None = Field(
        None, description="a model that is judged and compared beside it, or alone, and flags nothing"
    )

    @field_validator("model", "challenger")
    @classmethod
    def _is_served(cls, given: str | None) -> str | None:
        """Put the digest in place of an alias: what the alias stands for later is another profile."""
        if given is None:
            return None
        try:
            return verified_address(given)
        except TapewatchError as error:
            text = f"{error.cause.removesuffix('.')} ({error.hint.removesuffix('.')})"
            raise PydanticCustomError("model", "{text}", {"text": text}) from error

    @model_serializer(mode="wrap")
    def _without_challenger_in_json(
        self, serialize: SerializerFunctionWrapHandler, info: SerializationInfo
    ) -> dict[str, Any]:
        written: dict[str, Any] = serialize(self)
        if info.mode == "json":
            written.pop("challenger")
        return written


class TrainedModelDetector(JoiningDetector):
    """Flags trades by the rarity of a model's score; batches are judged to the last bit as trade by trade."""

    name = "trained_model"
    parameters = TrainedModelParameters
    state_schema = f"{STATE.descr} and {Features.state_schema}"

    def __init__(self, context: DetectorContext) -> None:
        super().__init__(context)
        self._model_of = context.parameters_of(self.name, TrainedModelParameters)
        self._features = Features(context)
        self._recent = RecentPrints()
        self._states = np.zeros(0, STATE)
        self._tails = np.zeros(0, TAIL)
        self._pair_of = np.zeros(0, np.int64)  # by slot: its place in `_pairs`, from 1; 0 without a model
        self._pairs: dict[tuple[str | None, str | None], _Pair] = {}

    @property
    def state_store(self) -> StateStore:
        """See `Detector`."""
        return self

    def cannot_judge(self, session: SessionKey) -> str | None:
        """See `Detector`."""
        own = self._model_of(session.symbol)
        if own.model is not None or own.challenger is not None:
            return None
        return "the profile names no model (`model: NAME@champion`)"

    def open(self, slot: int, session: SessionKey) -> None:
        """See `Detector`."""
        super().open(slot, session)
        own = self._model_of(session.symbol)
        self._pair_of = grown(self._pair_of, slot)
        self._pair_of[slot] = 0
        if own.model is None and own.challenger is None:
            return
        pair = self._pairs.get((own.model, own.challenger))
        if pair is None:
            pair = _Pair(len(self._pairs) + 1, own.model, own.challenger)
            self._pairs[own.model, own.challenger] = pair
        self._pair_of[slot] = pair.number
        self._tails = grown(self._tails, slot)
        self._tails[slot] = tuple(own.model_dump(include=set(TailParameters.model_fields)).values())
        self._states = grown(self._states, slot)
        self._states[slot] = np.zeros((), STATE)
        for role in range(ROLES):
            start_tail(self._states[slot]["tails"][role], self._tails[slot])
        self._states[slot]["challenger"] = pair.challenger_number
        self._features.open(slot, session)
        self._recent.open(slot, pair.window - 1)

    def save(self, slot: int) -> bytes:
        """See `StateStore`; nothing where no model judges."""
        if not self._pair_of[slot]:
            return b""
        features = self._features.save(slot)
        return self._states[slot].tobytes() + features + self._recent.save(slot)

    def restore(self, slot: int, saved: bytes) -> None:
        """See `StateStore`; the tail of another challenger starts again.

        A profile's hash does not tell whether it names a challenger: one that is alone begins where nothing
        was saved, and of one that is gone nothing is wanted.
        """
        number = self._pair_of[slot]
        if not number:
            return
        pair = list(self._pairs.values())[number - 1]
        if not saved and MODEL not in pair.models:
            return
        state = one_record(saved[: STATE.itemsize], STATE).copy()
        if state["trades"] < 0:
            raise ValueError(f"it is of {state['trades']} trades")
        fresh = self._states[slot]
        if state["challenger"] != fresh["challenger"]:
            state["challenger"] = fresh["challenger"]
            state["tails"][CHALLENGER] = fresh["tails"][CHALLENGER]
        end = STATE.itemsize + FEATURES_STATE.itemsize
        self._features.restore(slot, saved[STATE.itemsize : end])
        self._recent.restore(slot, saved[end:])
        self._states[slot] = state

    def flag(self, batch: Batch) -> Flags:
        """See `Detector`; value, expected and threshold are the model's raw output."""
        places, _ = batch.prints
        places = places[self._pair_of[batch.slot[places]] > 0]
        prints = batch if len(places) == len(batch) else batch[places]
        values = self._features.advance(prints).astype(np.float32)
        judged_prints = self._recent.take(prints.slot, values)
        pair_of = self._pair_of[prints.slot]
        pairs = [(pair, np.flatnonzero(pair_of == pair.number)) for pair in self._pairs.values()]
        raw = np.full((ROLES, len(prints)), np.nan)
        scaled = raw.copy()
        for pair, own in pairs:
            for role, stored in pair.models.items():
                raw[role, own] = stored.model.raw(judged_prints.rows_for(stored, own))
                scaled[role, own] = _scaled(raw[role, own], stored.manifest.scaling.ordinary)
        judged = np.zeros((ROLES, len(prints)), JUDGED)
        crosses = prints.measured()["is_cross"]
        judge_scores(self._states, self._tails, prints.slot, scaled, crosses, judged)
        is_flagged = (judged["evidence"] >= ALERT) & (crosses != NATURAL_CROSS)
        for pair, own in pairs:
            sample = own[:: max(1, -(-len(own) // SAMPLED))]
            pair.count(is_flagged[:, own], values[sample])
        at = np.flatnonzero(is_flagged[MODEL])
        spoken = _Spoken(len(at))
        for pair, _ in pairs:
            rows = np.flatnonzero(pair_of[at] == pair.number)
            if len(rows):
                stored, own = pair.models[MODEL], at[rows]
                spoken.add(stored, rows, judged_prints, own, raw[MODEL, own], judged[MODEL, own])
        return Flags(
            at=places[at],
            score=score_of(judged["evidence"][MODEL, at]),
            value=raw[MODEL, at],
            expected=spoken.expected,
            threshold=spoken.threshold,
            reasons=spoken.reasons,
            contributions={name: spoken.shares[:, column] for column, name in enumerate(NAMES)},
            features={"model_probability": spoken.probability},
            join_s=self._join_s[prints.slot[at]],
            models=spoken.models,
        )

    def take_tallies(self) -> list[ModelTally]:
        """See `Detector`."""
        return [pair.take_tally() for pair in self._pairs.values() if pair.judged]


class _Pair:
    """A model and its challenger, or one of them, and what they have judged since the last tally."""

    def __init__(self, number: int, model: str | None, challenger: str | None) -> None:
        self.number = number
        addresses = (model, challenger)
        self.models = {role: served_model(one) for role, one in enumerate(addresses) if one is not None}
        self.window = max(stored.model.window for stored in self.models.values())
        self._model, self._challenger = ("" if one is None else short_address(one) for one in addresses)
        self.challenger_number = (
            0 if challenger is None else int(self.models[CHALLENGER].manifest.digest[:16], 16)
        )
        self._sampled_for = self.models[min(self.models)].manifest
        self._drift = DriftCounter(self._sampled_for.spread)
        self._start()

    def _start(self) -> None:
        self.judged = 0
        self._flagged = np.zeros((2, 2), np.int64)  # by model and by challenger
        self._sampled = np.zeros(self._drift.expected.shape)

    def count(self, is_flagged: np.ndarray, sample: np.ndarray) -> None:
        """Count n trades that either flags, bool, shape (ROLES, n), and all features of some of them."""
        self.judged += is_flagged.shape[1]
        np.add.at(self._flagged, (is_flagged[MODEL].astype(int), is_flagged[CHALLENGER].astype(int)), 1)
        self._sampled += self._drift.count(rows_of(sample, self._sampled_for.features))

    def take_tally(self) -> ModelTally:
        """Return what was counted, and begin again."""
        tally = ModelTally(
            self._model,
            self._challenger,
            judged=self.judged,
            both=int(self._flagged[1, 1]),
            model_only=int(self._flagged[1, 0]),
            challenger_only=int(self._flagged[0, 1]),
            features=self._sampled_for.features,
            expected=self._drift.expected,
            sampled=self._sampled,
        )
        self._start()
        return tally


class _Spoken:
    """What models say of the k trades that they flag: the arguments of `Flags`."""

    def __init__(self, count: int) -> None:
        self.expected, self.threshold, self.probability = np.zeros((3, count))
        self.shares = np.zeros((count, len(NAMES)))
        self.reasons = [""] * count
        self.models: list[DetectionModel] = [DetectionModel("", "", "")] * count

    def add(
        self,
        stored: StoredModel,
        rows: np.ndarray,
        prints: JudgedPrints,
        at: np.ndarray,
        raw: np.ndarray,
        judged: np.ndarray,
    ) -> None:
        """Explain some of them, m, by exact contributions.

        Parameters
        ----------
        stored
            The model that flags them.
        rows
            Which of the k they are.
        prints
            All that were judged.
        at
            Which of those they are, shape (m,).
        raw
            The model's output, shape (m,).
        judged
            `JUDGED`, shape (m,).
        """
        manifest = stored.manifest
        spoken = DetectionModel(manifest.name, manifest.digest[:12], manifest.digest)
        self.expected[rows] = manifest.scaling.ordinary.middle
        self.threshold[rows] = _unscaled(judged["threshold"], manifest.scaling.ordinary)
        self.probability[rows] = probabilities(raw, manifest.scaling)
        columns = np.array([NAMES.index(name) for name in manifest.features])
        values = prints.values[at]
        added = stored.model.contributions(prints.rows_for(stored, at))
        most = np.argsort(-added, axis=1, kind="stable")[:, :TOLD]
        shares = np.maximum(np.take_along_axis(added, most, axis=1), 0.0)
        shares[shares.sum(axis=1) == 0.0, 0] = 1.0
        self.shares[rows[:, None], columns[most]] = shares / shares.sum(axis=1, keepdims=True)
        for place, row in enumerate(rows.tolist()):
            told = [
                f"{words_of(manifest.features[one])} ({_number(values[place, columns[one]])})"
                for one in most[place, :WORDED].tolist()
            ]
            self.models[row] = spoken
            self.reasons[row] = (
                f"the model {spoken.name}@{spoken.version} gives it a score that ordinary trades reach "
                f"{once_in(judged['rarity'][place])}, mostly for {', '.join(told)}"
            )


def short_address(address: str) -> str:
    """Return an address with twelve digits of its digest."""
    name, _, digest = address.partition("@")
    return f"{name}@{digest[:12]}"


def _number(value: float) -> str:
    return f"{value:.3g}" if value == value else "not known"


def _scaled(raw: np.ndarray, ordinary: Ordinary) -> np.ndarray:
    """Put raw outputs on the tail's scale: an ordinary trade has 0, the tail begins at 1, excesses mean 1."""
    below = (raw - ordinary.middle) / (ordinary.threshold - ordinary.middle)
    return np.where(raw < ordinary.threshold, below, 1.0 + (raw - ordinary.threshold) / ordinary.excess)


def _unscaled(value: np.ndarray, ordinary: Ordinary) -> np.ndarray:
    """Return the raw outputs of values on the tail's scale."""
    below = ordinary.middle + value * (ordinary.threshold - ordinary.middle)
    return np.where(value < 1.0, below, ordinary.threshold + (value - 1.0) * ordinary.excess)
