"""The interface of every detector."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import compress
from typing import Protocol, overload

import numpy as np

from services.contracts.anomaly import DetectionModel, Rule
from services.detector.detectors.context import DetectorContext
from services.detector.detectors.parameters import Parameters
from services.detector.detectors.tally import ModelTally
from services.detector.engine.batch import Batch, SessionKey

EARLY_PRINTS, LAST_TELLING = 2, 10
"""So many of a session's first prices may be flagged by a later one, up to its price of that number: there is
nothing to compare a first price with when it comes."""


@dataclass(frozen=True)
class Flags:
    """The trades of a batch that one detector flags, k of them.

    Parameters
    ----------
    at
        Their places in the batch, int64, shape (k,), rising.
    score
        0 to 1, higher is more anomalous; 0.5 is what just reaches the threshold. Shape (k,).
    value, expected, threshold
        The observed value, the expected one, and the largest that is not flagged. Shape (k,).
    reasons
        A sentence each, without its capital and full stop; `LazyReasons` where many are never read.
    contributions
        Feature name to its share in the score, shape (k,) each; a trade's shares add up to 1.
    features
        Feature name to its value, shape (k,) each.
    join_s
        A flag so soon after the last one of the same label and session belongs to the same stretch, and the
        stretch is one anomaly that grows; in seconds of event time. 0: each flag is an anomaly of its own.
    span_s
        How long the flagged print's stretch has lasted, in seconds of event time, shape (k,): what has come
        meanwhile and is absorbed by the detector is part of it. None if a stretch begins with its first flag.
    prints
        How many prints the flagged one's stretch has so far, by the detector's own count, int64, shape (k,);
        None to count the flags.
    is_running_total
        Whether the last flag of a stretch describes the whole of it; if not, the one with the highest score
        stands for it.
    of_print
        Which of the session's first `EARLY_PRINTS` prices each is about, from 1; 0: the flagged print itself.
        Int64, shape (k,); None for all 0. The anomaly is that print's, and this one brings it.
    rules
        What a rulebook says of each; empty for detectors without one.
    models
        Which trained model flags each; empty for detectors without one.
    """

    at: np.ndarray
    score: np.ndarray
    value: np.ndarray
    expected: np.ndarray
    threshold: np.ndarray
    reasons: Sequence[str]
    contributions: Mapping[str, np.ndarray] = field(default_factory=dict)
    features: Mapping[str, np.ndarray] = field(default_factory=dict)
    join_s: np.ndarray | float = 0.0
    span_s: np.ndarray | None = None
    prints: np.ndarray | None = None
    is_running_total: bool = False
    of_print: np.ndarray | None = None
    rules: list[Rule] = field(default_factory=list)
    models: list[DetectionModel] = field(default_factory=list)

    def only(self, stays: np.ndarray) -> "Flags":
        """Return the flags that `stays` selects, bool, shape (k,)."""
        if stays.all():
            return self
        return Flags(
            at=self.at[stays],
            score=self.score[stays],
            value=self.value[stays],
            expected=self.expected[stays],
            threshold=self.threshold[stays],
            reasons=self.reasons.only(stays)
            if isinstance(self.reasons, LazyReasons)
            else [reason for reason, one in zip(self.reasons, stays, strict=True) if one],
            contributions={name: values[stays] for name, values in self.contributions.items()},
            features={name: values[stays] for name, values in self.features.items()},
            join_s=self.join_s[stays] if isinstance(self.join_s, np.ndarray) else self.join_s,
            span_s=None if self.span_s is None else self.span_s[stays],
            prints=None if self.prints is None else self.prints[stays],
            is_running_total=self.is_running_total,
            of_print=None if self.of_print is None else self.of_print[stays],
            rules=list(compress(self.rules, stays)),
            models=list(compress(self.models, stays)),
        )


class LazyReasons(Sequence[str]):
    """Sentences that are written when they are read: a stretch has thousands of flags, and tells of a few.

    Parameters
    ----------
    write
        Writes the sentence of a flag, by its row.
    rows
        The rows.
    """

    def __init__(self, write: Callable[[int], str], rows: Sequence[int]) -> None:
        self._write = write
        self._rows = rows

    @overload
    def __getitem__(self, at: int) -> str: ...

    @overload
    def __getitem__(self, at: slice) -> "LazyReasons": ...

    def __getitem__(self, at: int | slice) -> "str | LazyReasons":
        if isinstance(at, slice):
            return LazyReasons(self._write, self._rows[at])
        return self._write(self._rows[at])

    def __len__(self) -> int:
        return len(self._rows)

    def only(self, stays: np.ndarray) -> "LazyReasons":
        """Return those that `stays` selects, bool, shape (k,)."""
        return LazyReasons(self._write, [self._rows[at] for at in np.flatnonzero(stays).tolist()])


class StateStore(Protocol):
    """Holds the detectors' state of each session by slot; its size is bounded, so that it can be saved.

    Only windows and numbers are saved; parameters come from the profile, and models are fitted again.
    """

    name: str
    state_schema: str
    """A text that changes whenever the format of the saved bytes does."""

    def save(self, slot: int) -> bytes:
        """Return the complete state of a slot's session; equal states give equal bytes."""
        ...

    def restore(self, slot: int, saved: bytes) -> None:
        """Restore saved state into a slot that was just opened for the same session.

        Raises
        ------
        ValueError
            The bytes are not what `save` returns; the message says why.
        """
        ...


@contextmanager
def put_back(stores: Iterable[StateStore], slots: Collection[int]) -> Iterator[None]:
    """Put the states of some slots back at the end of the block, as if it had judged nothing."""
    saved = [(store, slot, store.save(slot)) for store in stores for slot in slots]
    yield
    for store, slot, state in saved:
        store.restore(slot, state)


class Detector(ABC):
    """Judges trades of any number of sessions; its result depends only on the session's trades up to then.

    The state of a session is kept by slot, so that one call serves a batch of many symbols. A detector is
    created once per profile, and registered in `services.contracts.detectors`.

    Parameters
    ----------
    context
        Provides parameters, the calendar, and the walk that calibrated detectors share.
    """

    name: str
    """Key in `services.contracts.detectors.DETECTORS`."""
    parameters: type[Parameters]
    """What a profile can set; every parameter has a default."""

    @abstractmethod
    def __init__(self, context: DetectorContext) -> None: ...

    @property
    @abstractmethod
    def state_store(self) -> StateStore | None:
        """The store of this detector's state, which detectors may share; None if its size is not bounded."""

    @abstractmethod
    def open(self, slot: int, session: SessionKey) -> None:
        """Start a new session in a slot; slots are small numbers, reused after a session's end."""

    def cannot_judge(self, session: SessionKey) -> str | None:  # noqa: ARG002 - it has no parameters to miss
        """Return why it judges none of a session's trades, for people; None if it does judge them."""
        return None

    def take_tallies(self) -> list[ModelTally]:
        """Return what trained models have judged since the last call; empty for detectors without one."""
        return []

    @abstractmethod
    def flag(self, batch: Batch) -> Flags:
        """Judge the next trades; any cut into batches and any mixture of sessions gives the same flags.

        The batch is not modified. It has `measures` if any calibrated detector runs.
        """


def score_beyond(value: np.ndarray, threshold: np.ndarray | float) -> np.ndarray:
    """Map a positive value's distance beyond its threshold to a score: 0.5 at the threshold, 1 far beyond."""
    return 1.0 - 0.5 * threshold / value
