"""The report's protocol: forward in time, and each time something left out that is then tested on."""

import tempfile
from collections.abc import Mapping, Sequence
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
from services.detector.offline.training.steps import Steps
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

Ranking = tuple[str, Ranked]
"""Its name, and what it says of a copy."""


@dataclass(frozen=True)
class _Copy:
    """A judged copy of a day, its features on disk, and what baselines and whole models say of it."""

    day: LabelledDay
    judged: JudgedDay
    path: Path
    baselines: list[Ranking]
    raw: Mapping[bytes, np.ndarray]
    """By the model's bytes."""

    def raw_of(self, one: Learnt, judged: JudgedDay) -> np.ndarray:
        """Return a model's output, which is known where leaving something out gave the same model."""
        known = self.raw.get(one.content)
        return one.raw(judged) if known is None else known

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
    trainers
        The kinds of models.
    seed
        Random seed.
    """

    def __init__(
        self,
        days: Sequence[SessionDay],
        profile: Profile,
        origin: InjectedLabels,
        trainers: Sequence[Trainer],
        seed: int,
    ) -> None:
        self._days = days
        self._profile = profile
        self._origin = origin
        self._trainers = trainers
        self._seed = seed
        self.results = Results()
        self.reliability = {trainer.kind: Reliability() for trainer in trainers}
        self.rounds: dict[str, list[int]] = {trainer.kind: [] for trainer in trainers}
        self.anomalies = 0
        self.rows = 0

    def count_steps(self) -> int:
        """Return how many steps there are."""
        folds = len(self._days) - 2
        return len(self._days) - 1 + folds * (len(KINDS) + 4) + 1

    def run(self, steps: Steps) -> Results:
        """Do all, and return the figures."""
        rows: dict[str, list[Rows]] = {}
        prints = max(trainer.window for trainer in self._trainers)
        for day in self._days[:-1]:
            steps.begin(f"learning from {day.day}: its copies")
            copies = learnt_rows(self._origin, day, self._profile, self._seed, prints)
            rows[day.day] = [own for _, own in copies]
        for number in range(2, len(self._days)):
            names = [day.day for day in self._days]
            train = joined([part for name in names[: number - 1] for part in rows[name]])
            stop = joined(rows[names[number - 1]])
            self._fold(self._days[number], train, stop, number == len(self._days) - 1, steps)
        return self.results

    def _fold(self, test: SessionDay, train: Rows, stop: Rows, is_last: bool, steps: Steps) -> None:
        def learnt(learns: np.ndarray, stops: np.ndarray) -> list[Learnt]:
            own_stop = stop[stops]
            if not (own_stop.label > 0).any():  # the only style of that day was left out
                own_stop = stop
            own, seed = train[learns], self._seed
            return [
                learn(trainer, own, own_stop, seed, EVENTS_PER_TRADE, steps.on_round)
                for trainer in self._trainers
            ]

        baselines = self._baselines(train)
        steps.begin(f"{test.day}: models with everything")
        full = learnt(np.ones(len(train), bool), np.ones(len(stop), bool))
        for one in full:
            self.rounds[one.kind].append(one.rounds)
        self.rows = max(self.rows, len(train))
        with tempfile.TemporaryDirectory(prefix="tapewatch-train-") as folder:
            steps.begin(f"{test.day}: copies to test on")
            copies = [self._judged(day, Path(folder), baselines, full) for day in self._origin.tested(test)]
            for copy in copies:
                self._test_forward(copy, full)
            for kind in KINDS:
                steps.begin(f"{test.day}: models without {kind}")
                partial = learnt(train.kind != kind, stop.kind != kind)
                for copy in copies:
                    self._test(KIND_OUT, copy, partial, kind)
            steps.begin(f"{test.day}: models without a style")
            for copy in copies:
                style = copy.day.style
                if (train.style == style).any():
                    partial = learnt(train.style != style, stop.style != style)
                    self._test(STYLE_OUT, copy, partial, "burst")
        steps.begin(f"{test.day}: another injector")
        self._test_fresh(OTHER_INJECTOR, self._origin.of_other_kinds(test), full, baselines)
        if is_last:
            steps.begin("other stocks")
            for stock in STOCK_KINDS[1:]:
                for labelled in self._origin.reshaped(test, stock):
                    self._test_fresh(RESHAPED + stock.name, labelled, full, baselines)
            self._test_fresh(GENERATED, generated_day(self._seed), full, baselines)

    def _baselines(self, train: Rows) -> list[Baseline]:
        rng = np.random.default_rng([self._seed, len(train)])
        ordinary = train[np.flatnonzero(train.label == 0)]
        chosen = rng.choice(len(ordinary), BASELINE_ROWS, p=ordinary.weight / ordinary.weight.sum())
        known = all_features(ordinary[chosen])
        baselines = [kind() for kind in BASELINES]
        for baseline in baselines:
            baseline.fit(known, self._seed)
        return baselines

    def _judged(
        self, labelled: LabelledDay, folder: Path, baselines: Sequence[Baseline], full: Sequence[Learnt]
    ) -> _Copy:
        judged = judge_day(labelled.messages, labelled.event, self._profile)
        path = folder / f"{len(list(folder.iterdir()))}.npy"
        np.save(path, judged.features)
        self.anomalies += len(labelled.kinds)
        scores = _ranked(labelled, judged, baselines)
        raw = {one.content: one.raw(judged) for one in full}
        nothing = np.zeros((0, len(NAMES)), np.float32)
        return _Copy(replace(labelled, messages=[]), replace(judged, features=nothing), path, scores, raw)

    def _test_forward(self, copy: _Copy, full: Sequence[Learnt]) -> None:
        judged = copy.loaded()
        own = [ranking for one in full for ranking in _rankings(copy.day, judged, copy.raw[one.content], one)]
        for method, ranked in (*copy.baselines, *own):
            for kind in ("", *KINDS):
                figures = ranked.figures([kind] if kind else None)
                self.results.add(Measured(FORWARD, method, copy.day.day, kind, figures))
        known = judged.is_judged
        for one in full:
            probability = probabilities(copy.raw[one.content], one.scaling)
            self.reliability[one.kind].add(probability[known], copy.day.event[known], NATURAL)

    def _test(self, split: str, copy: _Copy, learnt: Sequence[Learnt], kind: str) -> None:
        judged = copy.loaded()
        own = [
            ranking
            for one in learnt
            for ranking in _rankings(copy.day, judged, copy.raw_of(one, judged), one)
        ]
        for method, ranked in (*copy.baselines, *own):
            self.results.add(Measured(split, method, copy.day.day, kind, ranked.figures([kind])))

    def _test_fresh(
        self, split: str, labelled: LabelledDay, full: Sequence[Learnt], baselines: Sequence[Baseline]
    ) -> None:
        judged = judge_day(labelled.messages, labelled.event, self._profile)
        self.anomalies += len(labelled.kinds)
        own = [ranking for one in full for ranking in _rankings(labelled, judged, one.raw(judged), one)]
        for method, ranked in (*_ranked(labelled, judged, baselines), *own):
            self.results.add(Measured(split, method, labelled.day, "", ranked.figures()))


def _rankings(day: LabelledDay, judged: JudgedDay, raw: np.ndarray, one: Learnt) -> list[Ranking]:
    scores = {
        MODEL: raw,
        ADDED: one.stack.added(judged.features, raw),
        IN_PLACE: one.stack.in_place_of_bursts(judged.features, raw),
    }
    return [
        (title.format(one.kind), Ranked(day, judged, score, has_episodes=False))
        for title, score in scores.items()
    ]


def _ranked(day: LabelledDay, judged: JudgedDay, baselines: Sequence[Baseline]) -> list[Ranking]:
    return [(one.title, Ranked(day, judged, one.score(judged), one.has_episodes)) for one in baselines]
