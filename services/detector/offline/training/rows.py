"""Rows to learn from: all trades of anomalies, and a sample of the others."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from services.detector.features.registry import NAMES
from services.detector.offline.evaluation.metrics import NATURAL
from services.detector.offline.training.days import SessionDay
from services.detector.offline.training.judge import JudgedDay, judge_day
from services.detector.offline.training.labelled import LabelledDay
from services.detector.offline.training.labels.base import Origin
from services.detector.profiles.profile import Profile

LEFT_OUT = frozenset(
    # Bars have no trades' features. When anomalies happen is the injector's choice, not a mark of theirs; and
    # what is in units of the price tells stocks apart, not trades.
    {
        *(name for name in NAMES if name.startswith("bar_")),
        *("time_of_day_s", "since_open_min", "to_close_min"),
        *("measure_distance", "measure_price_scale", "measure_price_tick", "measure_burst_drift"),
    }
)
FEATURES = tuple(name for name in NAMES if name not in LEFT_OUT)
"""What a model of trades learns from."""
COLUMNS = [NAMES.index(name) for name in FEATURES]

NATURAL_ROWS = 8_000
"""Ordinary trades of one copy that are drawn at random; each stands for as many as were not drawn."""
HARD_ROWS = 4_000
"""Ordinary trades of one copy that are kept besides: those with the most evidence."""
HARD_EVIDENCE = 0.3
LONG_EVENT = 4
"""Trades from which on the first half of an anomaly is left out: nothing of it could be seen there yet."""
EVENT_ROWS = 10
"""Trades of one anomaly at most, evenly chosen: the others say the same."""

ORDINARY = ""


@dataclass(frozen=True)
class Rows:
    """Trades to learn from, n of them.

    Parameters
    ----------
    values
        Windows of `FEATURES`, the last print's at the end, float32, shape (n, prints * features).
    label
        1 for a trade of an anomaly, else 0; float32, shape (n,).
    weight
        How much each counts: an anomaly's trades count together as much as its origin says, and an ordinary
        trade as many as it stands for. Float64, shape (n,).
    trades
        How many trades of the day each stands for, whatever it counts; float64, shape (n,).
    kind
        Of the anomaly, `ORDINARY` for others; text, shape (n,).
    style
        The copy's style; text, shape (n,).
    origin
        Where the label is from; text, shape (n,).
    """

    values: np.ndarray
    label: np.ndarray
    weight: np.ndarray
    trades: np.ndarray
    kind: np.ndarray
    style: np.ndarray
    origin: np.ndarray

    def __len__(self) -> int:
        return len(self.label)

    def __getitem__(self, which: np.ndarray) -> "Rows":
        return Rows(
            self.values[which],
            self.label[which],
            self.weight[which],
            self.trades[which],
            self.kind[which],
            self.style[which],
            self.origin[which],
        )

    def last(self, prints: int) -> "Rows":
        """Return the rows with the last prints of each window alone."""
        return replace(self, values=np.ascontiguousarray(self.values[:, -prints * len(FEATURES) :]))

    @property
    def prevalence(self) -> float:
        """Share of the weight that anomalies have."""
        return float(self.weight[self.label > 0].sum() / self.weight.sum())


def joined(parts: Sequence[Rows]) -> Rows:
    """Join rows, at least one part."""
    names = ("values", "label", "weight", "trades", "kind", "style", "origin")
    return Rows(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def evidence_of(features: np.ndarray) -> np.ndarray:
    """Return the greatest evidence of price, size and burst, float64, shape (n,); `features` are `NAMES`."""
    names = ("measure_price_evidence", "measure_size_evidence", "measure_burst_evidence")
    parts = np.nan_to_num(features[:, [NAMES.index(name) for name in names]])
    greatest: np.ndarray = parts.max(axis=1).astype(np.float64)
    return greatest


def learnt_rows(
    origin: Origin, day: SessionDay, profile: Profile, seed: int, prints: int
) -> Iterator[tuple[LabelledDay, Rows]]:
    """Judge each copy of a day that an origin gives to learn from, and draw its rows.

    Parameters
    ----------
    origin, day
        Of the copies.
    profile
        As in `judge_day`.
    seed
        Random seed.
    prints
        In a window.
    """
    for copy, labelled in enumerate(origin.learnt(day)):
        judged = judge_day(labelled.messages, labelled.event, profile)
        yield labelled, sample_rows(labelled, judged, origin.weight, [seed, copy, len(labelled)], prints)


def sample_rows(day: LabelledDay, judged: JudgedDay, weight: float, seed: Sequence[int], prints: int) -> Rows:
    """Draw the rows of one copy.

    Parameters
    ----------
    day, judged
        The copy.
    weight
        What an anomaly counts, in ordinary trades; and a trade that was found to be none.
    seed
        Random seed.
    prints
        In a window.
    """
    rng = np.random.default_rng(seed)
    is_event = day.event != NATURAL
    ordinary = np.flatnonzero(judged.is_judged & ~is_event & ~day.is_cleared)
    evidence = evidence_of(judged.features[ordinary])
    by_evidence = ordinary[np.argsort(-evidence, kind="stable")]
    hard = np.sort(by_evidence[: min(HARD_ROWS, int((evidence > HARD_EVIDENCE).sum()))])
    rest = np.setdiff1d(ordinary, hard, assume_unique=True)
    drawn = np.sort(rng.choice(rest, min(NATURAL_ROWS, len(rest)), replace=False))
    stands_for = len(rest) / len(drawn) if len(drawn) else 1.0
    events, event_weights = _event_rows(day, judged, weight)
    cleared = np.flatnonzero(day.is_cleared & judged.is_judged)
    rows = np.concatenate([events, hard, drawn, cleared])
    weights = [
        event_weights,
        np.ones(len(hard)),
        np.full(len(drawn), stands_for),
        np.full(len(cleared), weight),
    ]
    trades = np.ones(len(rows))
    trades[len(events) + len(hard) :][: len(drawn)] = stands_for
    kinds = np.array([*day.kinds, ORDINARY])[np.where(is_event[rows], day.event[rows], len(day.kinds))]
    return Rows(
        windows_of(judged, rows, prints),
        is_event[rows].astype(np.float32),
        np.concatenate(weights),
        trades,
        kinds.astype("U40"),
        np.full(len(rows), day.style, "U20"),
        np.full(len(rows), day.origin, "U20"),
    )


def windows_of(judged: JudgedDay, rows: np.ndarray, prints: int) -> np.ndarray:
    """Return the windows of `FEATURES` that end with some trades, float32, shape (m, prints * features)."""
    windows = judged.windows.of(judged.features, rows, prints)
    return np.ascontiguousarray(windows.reshape(-1, len(NAMES))[:, COLUMNS]).reshape(len(rows), -1)


def _event_rows(day: LabelledDay, judged: JudgedDay, weight: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of anomalies, int64, shape (k,), and what each counts, float64, shape (k,)."""
    rows = np.flatnonzero((day.event != NATURAL) & judged.is_judged)
    rows = rows[np.argsort(day.event[rows], kind="stable")]
    kept, weights = [np.zeros(0, np.int64)], [np.zeros(0)]
    for own in np.split(rows, np.flatnonzero(np.diff(day.event[rows])) + 1):
        if len(own) >= LONG_EVENT:
            own = own[len(own) // 2 :]
            own = own[:: -(-len(own) // EVENT_ROWS)]
        if len(own):
            kept.append(own)
            weights.append(np.full(len(own), weight / len(own)))
    return np.concatenate(kept), np.concatenate(weights)
