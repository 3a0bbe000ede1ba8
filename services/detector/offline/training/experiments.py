"""The report's protocol: forward in time, and each time something left out that is then tested on."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from services.detector.features.registry import NAMES
from services.detector.models.base import probabilities
from services.detector.offline.evaluation.injection import EVENTS_PER_TRADE
from services.detector.offline.evaluation.metrics import NATURAL
from services.detector.offline.evaluation.reshape import STOCK_KINDS
from services.detector.offline.training.baselines.base import Baseline
from services.detector.offline.training.baselines.plain import Calibrated
from services.detector.offline.training.baselines.registry import BASELINES
from services.detector.offline.training.days import SessionDay
from services.detector.offline.training.figures import Ranked
from services.detector.offline.training.generated import generated_day
from services.detector.offline.training.judge import JudgedDay, judge_day
from services.detector.offline.training.kinds.base import Trainer
from services.detector.offline.training.labelled import LabelledDay
from services.detector.offline.training.labels.injected import InjectedLabels
from services.detector.offline.training.learn import Learnt, learn
from services.detector.offline.training.reliability import Reliability
from services.detector.offline.training.results import Measured, Results
from services.detector.offline.training.rows import Rows, joined, learnt_rows
from services.detector.offline.training.stacking import all_features
from services.detector.profiles.profile import Profile
from services.sources.synthetic.kinds import KINDS

FORWARD = "forward in time"
KIND_OUT = "one kind left out"
STYLE_OUT = "one style left out"
OTHER_INJECTOR = "another injector"
GENERATED = "a generated symbol"
RESHAPED = "reshaped: "

MODEL, ADDED, IN_PLACE = "{}", "calibrated evidence + {}", "calibrated, bursts by {}"
CALIBRATED = Calibrated.title

BASELINE_ROWS = 20_000
LEAST_DAYS = 3

OnStep = Callable[[str], None]
"""Called with what is done next; as often as `Protocol.steps` says."""


Ranking = tuple[str, Ranked]
"""Its name, and what it says of a copy."""


@dataclass(frozen=True)
class _Copy:
    """A judged copy of a day, its features on disk, and what the baselines say of it."""

    day: LabelledDay
    judged: JudgedDay
    path: Path
    baselines: list[Ranking]

    def loaded(self) -> JudgedDay:
        """Return it with its features, read as they are needed."""
        return replace(self.judged, features=np.load(self.path, mmap_mode="r"))


class Protocol:
    """Trains and tests on each day from the third on: on those before, stopped by the one right before.

    Parameters
    ----------
    days
        Three at least, in their order.
    profile
        The detectors that models are compared with.
    origin
        Makes the labels.
    trainer
        The kind of model.
    seed
        Random seed.
    """

    def __init__(
        self,
        days: Sequence[SessionDay],
        profile: Profile,
        origin: InjectedLabels,
        trainer: Trainer,
        seed: int,
    ) -> None:
        self._days = days
        self._profile = profile
        self._origin = origin
        self._trainer = trainer
        self._seed = seed
        self._model, self._added, self._in_place = (
            title.format(trainer.kind) for title in (MODEL, ADDED, IN_PLACE)
        )
        self.results = Results()
        self.reliability = Reliability()
        self.weights: list[float] = []
        self.rounds: list[int] = []
        self.anomalies = 0
        self.rows = 0

    @property
    def steps(self) -> int:
        """How many steps there are."""
        folds = len(self._days) - 2
        return len(self._days) - 1 + folds * (len(KINDS) + 4) + 1

    def run(self, on_step: OnStep) -> Results:
        """Do all, and return the figures."""
        rows: dict[str, list[Rows]] = {}
        for day in self._days[:-1]:
            on_step(f"learning from {day.day}: its copies")
            rows[day.day] = [own for _, own in learnt_rows(self._origin, day, self._profile, self._seed)]
        for number in range(2, len(self._days)):
            names = [day.day for day in self._days]
            train = joined([part for name in names[: number - 1] for part in rows[name]])
            stop = joined(rows[names[number - 1]])
            self._fold(self._days[number], train, stop, number == len(self._days) - 1, on_step)
        return self.results

    def _fold(self, test: SessionDay, train: Rows, stop: Rows, is_last: bool, on_step: OnStep) -> None:
        baselines = self._baselines(train)
        on_step(f"{test.day}: {self._trainer.kind} with everything")
        everything = np.ones(len(train), bool)
        full = self._learnt(train, stop, everything, np.ones(len(stop), bool))
        self.weights.append(full.stack.weight)
        self.rounds.append(full.rounds)
        self.rows = max(self.rows, len(train))
        with tempfile.TemporaryDirectory(prefix="tapewatch-train-") as folder:
            on_step(f"{test.day}: copies to test on")
            copies = [self._judged(day, Path(folder), baselines) for day in self._origin.tested(test)]
            for copy in copies:
                self._test_forward(copy, full)
            for kind in KINDS:
                on_step(f"{test.day}: {self._trainer.kind} without {kind}")
                one = self._learnt(train, stop, train.kind != kind, stop.kind != kind)
                for copy in copies:
                    self._test(KIND_OUT, copy, one, kind)
            on_step(f"{test.day}: {self._trainer.kind} without a style")
            for copy in copies:
                style = copy.day.style
                if (train.style == style).any():
                    one = self._learnt(train, stop, train.style != style, stop.style != style)
                    self._test(STYLE_OUT, copy, one, "burst")
        on_step(f"{test.day}: another injector")
        self._test_fresh(OTHER_INJECTOR, self._origin.of_other_kinds(test), full, baselines)
        if is_last:
            on_step("other stocks")
            for stock in STOCK_KINDS[1:]:
                for labelled in self._origin.reshaped(test, stock):
                    self._test_fresh(RESHAPED + stock.name, labelled, full, baselines)
            self._test_fresh(GENERATED, generated_day(self._seed), full, baselines)

    def _learnt(self, train: Rows, stop: Rows, learns: np.ndarray, stops: np.ndarray) -> Learnt:
        own_stop = stop[stops]
        if not (own_stop.label > 0).any():  # the only style of that day was left out
            own_stop = stop
        return learn(self._trainer, train[learns], own_stop, self._seed, EVENTS_PER_TRADE)

    def _baselines(self, train: Rows) -> list[Baseline]:
        rng = np.random.default_rng([self._seed, len(train)])
        ordinary = train[np.flatnonzero(train.label == 0)]
        chosen = rng.choice(len(ordinary), BASELINE_ROWS, p=ordinary.weight / ordinary.weight.sum())
        known = all_features(ordinary[chosen])
        baselines = [kind() for kind in BASELINES]
        for baseline in baselines:
            baseline.fit(known, self._seed)
        return baselines

    def _judged(self, labelled: LabelledDay, folder: Path, baselines: Sequence[Baseline]) -> _Copy:
        judged = judge_day(labelled.messages, labelled.event, self._profile)
        path = folder / f"{len(list(folder.iterdir()))}.npy"
        np.save(path, judged.features)
        self.anomalies += len(labelled.kinds)
        scores = _ranked(labelled, judged, baselines)
        nothing = np.zeros((0, len(NAMES)), np.float32)
        return _Copy(replace(labelled, messages=[]), replace(judged, features=nothing), path, scores)

    def _test_forward(self, copy: _Copy, full: Learnt) -> None:
        judged = copy.loaded()
        raw = full.raw(judged)
        for method, ranked in (*copy.baselines, *self._rankings(copy.day, judged, raw, full)):
            for kind in ("", *KINDS):
                figures = ranked.figures([kind] if kind else None)
                self.results.add(Measured(FORWARD, method, copy.day.day, kind, figures))
        probability = probabilities(raw, full.scaling)
        self.reliability.add(probability[judged.is_judged], copy.day.event[judged.is_judged], NATURAL)

    def _test(self, split: str, copy: _Copy, one: Learnt, kind: str) -> None:
        judged = copy.loaded()
        own = self._rankings(copy.day, judged, one.raw(judged), one)
        for method, ranked in (*copy.baselines, *own):
            self.results.add(Measured(split, method, copy.day.day, kind, ranked.figures([kind])))

    def _test_fresh(
        self, split: str, labelled: LabelledDay, full: Learnt, baselines: Sequence[Baseline]
    ) -> None:
        judged = judge_day(labelled.messages, labelled.event, self._profile)
        self.anomalies += len(labelled.kinds)
        own = self._rankings(labelled, judged, full.raw(judged), full)
        for method, ranked in (*_ranked(labelled, judged, baselines), *own):
            self.results.add(Measured(split, method, labelled.day, "", ranked.figures()))

    def _rankings(self, day: LabelledDay, judged: JudgedDay, raw: np.ndarray, one: Learnt) -> list[Ranking]:
        scores = {
            self._model: raw,
            self._added: one.stack.added(judged.features, raw),
            self._in_place: one.stack.in_place_of_bursts(judged.features, raw),
        }
        return [(name, Ranked(day, judged, score, has_episodes=False)) for name, score in scores.items()]


def _ranked(day: LabelledDay, judged: JudgedDay, baselines: Sequence[Baseline]) -> list[Ranking]:
    return [(one.title, Ranked(day, judged, one.score(judged), one.has_episodes)) for one in baselines]
