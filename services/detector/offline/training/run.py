"""`tapewatch train`: trains a model and stores it, or reports what models are worth."""

import datetime as dt
import hashlib
import shlex
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from services.common.elastic.client import Elasticsearch
from services.common.errors import TapewatchError
from services.common.exchange_calendar import ExchangeCalendar
from services.detector.models.digest import content_digest
from services.detector.models.drift import measure_spread
from services.detector.models.folder import scores_digest
from services.detector.models.manifest import FORMAT, Alias, DataFile, LabelCount, Manifest, Metric
from services.detector.models.registry import NAME, ModelRegistry
from services.detector.models.sample import features_digest
from services.detector.offline.evaluation.metrics import NATURAL
from services.detector.offline.evaluation.run import auctions_of
from services.detector.offline.models.store import store_model
from services.detector.offline.training.baselines.plain import Calibrated
from services.detector.offline.training.card import card_text
from services.detector.offline.training.days import OnProgress, SessionDay, spool_days
from services.detector.offline.training.experiments import LEAST_DAYS, Protocol
from services.detector.offline.training.figures import Figures, Ranked
from services.detector.offline.training.judge import judge_day
from services.detector.offline.training.kinds.base import Trainer
from services.detector.offline.training.kinds.registry import TrainableKind, load_trainer
from services.detector.offline.training.labels.base import Origin
from services.detector.offline.training.labels.injected import InjectedLabels
from services.detector.offline.training.labels.registry import LabelChoice, open_origins
from services.detector.offline.training.learn import Learnt, learn
from services.detector.offline.training.page import measured_text, write_page
from services.detector.offline.training.results import metric_of
from services.detector.offline.training.rows import FEATURES, Rows, joined, learnt_rows
from services.detector.offline.training.steps import Steps
from services.detector.profiles.profile import Profile, load_profile
from services.sources.base import Source

_LOCK = Path(__file__).parents[4] / "requirements.lock"


@dataclass(frozen=True)
class TrainingPlan:
    """What is trained, and how.

    Parameters
    ----------
    kind
        The kind of model.
    name
        The model's name.
    labels
        Where labels come from.
    profile_name
        A built-in profile, or a file; None for the default.
    seed
        Random seed.
    true_rate
        Share of anomalies among real trades.
    test_days
        How many of the last sessions are for testing.
    """

    kind: TrainableKind
    name: str
    labels: Sequence[LabelChoice]
    profile_name: str | None
    seed: int
    true_rate: float
    test_days: int


def run_train(
    sources: Sequence[Source], plan: TrainingPlan, models: Path, client: Elasticsearch | None
) -> int:
    """Train a model on sessions, and store it in its folder.

    The last sessions test it, the one before them stops and calibrates it, and it learns from the others.

    Parameters
    ----------
    sources
        Where the trades come from.
    plan
        What is trained.
    models
        The folder of all models.
    client
        Client of the cluster; None if no labels are there.

    Raises
    ------
    TapewatchError
        There are too few sessions or labels, a package is missing, or the model cannot be stored.
    """
    if not NAME.fullmatch(plan.name):
        raise TapewatchError(
            f"{plan.name!r} cannot name a model.", "Use lower-case letters, digits, - and _, 64 at most."
        )
    trainer = load_trainer(plan.kind)
    profile = load_profile(plan.profile_name)
    origins = open_origins(plan.labels, auctions_of(profile), plan.seed, client)
    with _bar() as on_progress, tempfile.TemporaryDirectory(prefix="tapewatch-train-") as folder:
        days = _days(sources, profile, Path(folder), on_progress, plan.test_days + 2)
        split = len(days) - plan.test_days - 1
        use = {"train": days[:split], "stop": days[split : split + 1], "test": days[split + 1 :]}
        steps = Steps(len(days) + 1, on_progress)
        rows: dict[str, list[Rows]] = {"train": [], "stop": []}
        counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for number, day in enumerate((*use["train"], *use["stop"])):
            steps.begin(f"copies of {day.day}")
            of_day = rows["train" if number < split else "stop"]
            counted = counts if number < split else None
            of_day += _rows_of(day, origins, profile, plan.seed, trainer.window, counted)
        if not rows["train"] or not rows["stop"]:
            raise TapewatchError(
                "There are no labels on the days to learn from, or on the day that stops the training.",
                "Give more days, or other labels: --labels injected.",
            )
        steps.begin(f"training {plan.kind}")
        train = joined(rows["train"])
        stop = joined(rows["stop"])
        learnt = learn(trainer, train, stop, plan.seed, plan.true_rate, steps.on_round)
        tested: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        for day in use["test"]:
            steps.begin(f"testing on {day.day}")
            for name, figures in _tested(day, origins, learnt, profile).items():
                for figure, value in figures.items():
                    tested[name][figure].append(value)
    labels = [
        LabelCount(one.name, one.weight, *counts[one.name]) for one in origins if counts[one.name][1] > 0
    ]
    metrics = {
        f"{name}.{figure}": metric_of(values)
        for name, own in tested.items()
        for figure, values in own.items()
    }
    manifest = _manifest(plan, sources, use, labels, train, learnt, trainer, profile, metrics, models)
    path, is_new = store_model(models, manifest, learnt.content, card_text(manifest))
    _say(manifest, path, is_new)
    return 0


def run_report(
    sources: Sequence[Source],
    kinds: Sequence[TrainableKind],
    profile_name: str | None,
    seed: int,
    page: Path,
    command: str,
) -> int:
    """Measure what models are worth on injected labels, and write it into a page.

    Parameters
    ----------
    sources
        Where the trades come from.
    kinds
        The kinds of model.
    profile_name, seed
        As in `TrainingPlan`.
    page
        See `write_page`.
    command
        What the page says it was measured with.

    Raises
    ------
    TapewatchError
        There are too few sessions, a package is missing, or the page cannot be written.
    """
    trainers = [load_trainer(kind) for kind in kinds]
    profile = load_profile(profile_name)
    origin = InjectedLabels(auctions_of(profile), seed, 1.0)
    with _bar() as on_progress, tempfile.TemporaryDirectory(prefix="tapewatch-train-") as folder:
        days = _days(sources, profile, Path(folder), on_progress, LEAST_DAYS)
        protocol = Protocol(days, profile, origin, trainers, seed)
        protocol.run(Steps(protocol.count_steps(), on_progress))
    write_page(page, measured_text(protocol, [day.day for day in days], command))
    Console(stderr=True).print(f"{page}: the tables and the verdict.", highlight=False)
    return 0


@contextmanager
def _bar() -> Iterator[OnProgress]:
    """Show a bar, or write a line for each thing that is done where nobody would see it move."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    if not console.is_terminal:
        said = ""

        def say(what: str, _done: float, _total: float) -> None:
            nonlocal said
            if what != said:
                console.print(what)
                said = what

        yield say
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=1)
        yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total)


def _days(
    sources: Sequence[Source], profile: Profile, folder: Path, on_progress: OnProgress, least: int
) -> list[SessionDay]:
    days = spool_days(sources, ExchangeCalendar(profile.exchange).time_zone, folder, on_progress)
    if len(days) < least:
        raise TapewatchError(
            f"There are {len(days)} sessions, and {least} are needed: to learn from, stop by, and test on.",
            "Give more days.",
        )
    return days


def _rows_of(
    day: SessionDay,
    origins: Sequence[Origin],
    profile: Profile,
    seed: int,
    prints: int,
    counts: dict[str, list[int]] | None,
) -> Iterator[Rows]:
    """Yield the rows of each labelled copy of a day, and count their labels."""
    for origin in origins:
        for labelled, rows in learnt_rows(origin, day, profile, seed, prints):
            if counts is not None:
                counts[origin.name][0] += len(labelled.kinds)
                counts[origin.name][1] += int((labelled.event != NATURAL).sum() + labelled.is_cleared.sum())
            yield rows


def _tested(
    day: SessionDay, origins: Sequence[Origin], learnt: Learnt, profile: Profile
) -> dict[str, Figures]:
    """Return the mean figures of a day's copies by origin, and those of the calibrated score beside them."""
    found: dict[str, list[Figures]] = defaultdict(list)
    for origin in origins:
        for labelled in origin.tested(day):
            judged = judge_day(labelled.messages, labelled.event, profile)
            found[origin.name].append(
                Ranked(labelled, judged, learnt.raw(judged), has_episodes=False).figures()
            )
            score = Calibrated().score(judged)
            found[f"{origin.name}, calibrated score"].append(
                Ranked(labelled, judged, score, has_episodes=True).figures()
            )
    return {
        name: {figure: float(np.mean([one[figure] for one in copies])) for figure in copies[0]}
        for name, copies in found.items()
    }


def _manifest(
    plan: TrainingPlan,
    sources: Sequence[Source],
    use: dict[str, list[SessionDay]],
    labels: list[LabelCount],
    train: Rows,
    learnt: Learnt,
    trainer: Trainer,
    profile: Profile,
    metrics: dict[str, Metric],
    models: Path,
) -> Manifest:
    features = list(FEATURES)
    ordinary = train[train.label == 0].last(1)
    return Manifest(
        format=FORMAT,
        name=plan.name,
        kind=str(plan.kind),
        digest=content_digest(learnt.content, features, learnt.scaling),
        features=features,
        scaling=learnt.scaling,
        features_digest=features_digest(features),
        scores_digest=scores_digest(learnt.model, features, learnt.scaling),
        spread=measure_spread(ordinary.values, ordinary.trades),
        data=[DataFile(source.name, source.identity) for source in sources],
        days={name: [day.day for day in days] for name, days in use.items()},
        labels=labels,
        rows=len(train),
        seed=plan.seed,
        threads=trainer.threads,
        settings=trainer.settings,
        rounds=learnt.rounds,
        true_rate=plan.true_rate,
        profile=profile.hash,
        lock=hashlib.sha256(_LOCK.read_bytes()).hexdigest() if _LOCK.is_file() else "",
        versions=trainer.versions(),
        metrics=metrics,
        parent=ModelRegistry(models).aliases(plan.name).get(Alias.CHAMPION),
        trained_at=f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%SZ}",
        command=f"tapewatch {shlex.join(sys.argv[1:])}",
    )


def _say(manifest: Manifest, path: Path, is_new: bool) -> None:
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"{path}{'' if is_new else ' (it was there already: the same data, the same model)'}")
    for name, metric in manifest.metrics.items():
        if name.endswith((".average_precision", ".prevalence", ".recall_0.05", ".recall_0.1")):
            console.print(f"  {name}: {metric.text()}")
