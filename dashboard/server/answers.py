"""Elasticsearch's answers: shared between visitors for a moment, and kept for when it does not answer.

Twenty pages that show the same ask once. While Elasticsearch is away, a request gets the last answer to the
same request, and who asked is told how old that is.
"""

import datetime as dt
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as WaitedTooLong
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from fnmatch import fnmatch
from hashlib import blake2b
from threading import Lock
from urllib.parse import unquote

from services.common.elastic.errors import NOT_NOW
from services.common.elastic.nodes import (
    DEFAULT,
    Answer,
    ConnectionTimeout,
    DefaultType,
    Headers,
    Node,
    NodeConfig,
    NotReachable,
)

SHARED_FOR_S = 2.0
"""So long an answer is given to everybody who asks the same."""
SAME_FOR_S = 30.0
"""So long, if the request itself says what there is to read, as `same_trades` does: it is another one when
that changes."""
ASKED_AGAIN_AFTER_S = 1.0
"""So long after a request without an answer, last answers are given without asking."""
MAX_ANSWERS = 2_000
MAX_BYTES = 64_000_000
"""Of all answers that are kept; those that were not used for longest are dropped first."""

_LONGEST_WAIT_S = 60.0


@dataclass
class Noted:
    """What became of the requests of a block.

    Parameters
    ----------
    is_away
        Whether Elasticsearch did not answer one of them.
    as_of
        Time of the oldest answer that was given in place of a new one, UTC; None if all are new.
    """

    is_away: bool = False
    as_of: dt.datetime | None = None

    def add(self, as_of: dt.datetime | None) -> None:
        """Note a request that was not answered, and the time of the answer given in its place."""
        self.is_away = True
        if as_of is not None and (self.as_of is None or as_of < self.as_of):
            self.as_of = as_of


_noted: ContextVar[Noted | None] = ContextVar("noted", default=None)


@contextmanager
def noting() -> Iterator[Noted]:
    """Note what becomes of the requests of the block; a block around it is told only that there was none."""
    noted, outer = Noted(), _noted.get()
    try:
        with noting_in(noted):
            yield noted
    finally:
        if outer is not None and noted.is_away:
            outer.is_away = True


@contextmanager
def noting_in(noted: Noted) -> Iterator[None]:
    """Note there what becomes of the requests of the block; a block around it is told by `note` alone."""
    token = _noted.set(noted)
    try:
        yield
    finally:
        _noted.reset(token)


def note(became: Noted) -> None:
    """Note what became of requests that were made elsewhere, and whose answers this block uses."""
    if became.is_away:
        _note(became.as_of)


@dataclass
class _Kept:
    answer: Answer
    index: str
    at: dt.datetime
    fresh_until_s: float

    @property
    def size_bytes(self) -> int:
        return len(self.answer.body) + 1_000  # and its headers


@dataclass(frozen=True)
class _Given:
    """An answer; of one that is not new, when it was."""

    answer: Answer
    is_away: bool = False
    as_of: dt.datetime | None = None


class Answers:
    """The last answers by request, bounded; may be used by several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()
        self._size_bytes = 0
        self._asking: dict[bytes, tuple[str, Future[_Given]]] = {}
        self._ask_again_s: float | None = None
        """None while Elasticsearch answers."""

    def get(
        self,
        index: str,
        key: bytes,
        ask: Callable[[], Answer],
        wait_s: float,
        fresh_for_s: float,
    ) -> Answer:
        """Return the answer to a request: one that is new enough, a new one, or else the last one.

        Parameters
        ----------
        index
            Name or pattern of what is read.
        key
            Tells requests apart.
        ask
            Asks Elasticsearch.
        wait_s
            How long to wait for an answer that somebody else has asked for.
        fresh_for_s
            How long an answer is new enough.
        """
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                self._kept.move_to_end(key)
                now_s = time.monotonic()
                if now_s < kept.fresh_until_s:
                    return kept.answer
                if self._ask_again_s is not None and now_s < self._ask_again_s:
                    return _give(_Given(kept.answer, True, kept.at))
            _, asked = self._asking.get(key, (index, None))
            mine: Future[_Given] = Future()
            if asked is None:
                self._asking[key] = index, mine
        if asked is not None:
            try:
                return _give(asked.result(wait_s))
            except WaitedTooLong as error:
                raise ConnectionTimeout(f"no answer within {wait_s:g} s") from error
        try:
            given = self._ask(index, key, ask, mine, fresh_for_s)
        except BaseException as error:
            mine.set_exception(error)
            raise
        finally:
            with self._lock:
                if self._is_asking(key, mine):
                    del self._asking[key]
        mine.set_result(given)
        return _give(given)

    def _ask(
        self,
        index: str,
        key: bytes,
        ask: Callable[[], Answer],
        mine: Future[_Given],
        fresh_for_s: float,
    ) -> _Given:
        try:
            answer = ask()
        except (NotReachable, ConnectionTimeout):
            if (last := self._miss(key)) is None:
                _note(None)
                raise
            return last
        if answer.meta.status in NOT_NOW:
            return self._miss(key) or _Given(answer, True)
        with self._lock:
            self._ask_again_s = None
            # A write that came between has made it old already.
            if answer.meta.status == 200 and self._is_asking(key, mine):
                now = dt.datetime.now(dt.UTC)
                self._keep(key, _Kept(answer, index, now, time.monotonic() + fresh_for_s))
        return _Given(answer)

    def _is_asking(self, key: bytes, mine: Future[_Given]) -> bool:
        return self._asking.get(key, (None, None))[1] is mine

    def _miss(self, key: bytes) -> _Given | None:
        """Note that Elasticsearch did not answer; returns the last answer, if there is one."""
        with self._lock:
            self._ask_again_s = time.monotonic() + ASKED_AGAIN_AFTER_S
            kept = self._kept.get(key)
        return None if kept is None else _Given(kept.answer, True, kept.at)

    def _keep(self, key: bytes, kept: _Kept) -> None:
        self._drop(key)
        self._kept[key] = kept
        self._size_bytes += kept.size_bytes
        while len(self._kept) > MAX_ANSWERS or self._size_bytes > MAX_BYTES:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: bytes) -> None:
        if (kept := self._kept.pop(key, None)) is not None:
            self._size_bytes -= kept.size_bytes

    def note_write(self, index: str, is_done: bool) -> None:
        """Let nobody read what was there before a write.

        Parameters
        ----------
        index
            What was written to; empty for anything.
        is_done
            Whether the write was answered: last answers are kept after one that was not.
        """
        with self._lock:
            for key in [key for key, kept in self._kept.items() if _is_of(kept.index, index)]:
                if is_done:
                    self._drop(key)
                else:
                    self._kept[key].fresh_until_s = 0.0
            for key in [key for key, (read, _) in self._asking.items() if _is_of(read, index)]:
                del self._asking[key]


def _is_of(read: str, written: str) -> bool:
    """Tell whether a name, a pattern or a list of them can be of an index."""
    return not written or any(fnmatch(written, one) for one in read.split(","))


def _give(given: _Given) -> Answer:
    if given.is_away:
        _note(given.as_of)
    return given.answer


def _note(as_of: dt.datetime | None) -> None:
    if (noted := _noted.get()) is not None:
        noted.add(as_of)


class SharingNode(Node):
    """A connection whose reads are answered by `Answers`, and whose writes they heed."""

    def __init__(self, config: NodeConfig) -> None:
        super().__init__(config)
        self._answers = Answers()

    def perform_request(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: Headers | None = None,
        request_timeout: DefaultType | float | None = DEFAULT,
    ) -> Answer:
        """Return the answer to a request."""
        plain = super().perform_request

        def ask() -> Answer:
            return plain(method, target, body, headers, request_timeout)

        path, _, options = target.partition("?")
        index, _, kind = unquote(path).strip("/").partition("/")
        if method in ("GET", "HEAD") or "_pit" in (index, kind) or index == "_search":
            return ask()
        if method == "POST" and kind in ("_search", "_count"):
            key = blake2b(f"{target}\n".encode() + (body or b""), digest_size=16).digest()
            wait_s = request_timeout if isinstance(request_timeout, int | float) else _LONGEST_WAIT_S
            fresh_for_s = SAME_FOR_S if "preference=" in options else SHARED_FOR_S
            return self._answers.get(index, key, ask, wait_s, fresh_for_s)
        is_done = False
        try:
            answer = ask()
            is_done = answer.meta.status not in NOT_NOW
            return answer
        finally:
            self._answers.note_write("" if index.startswith("_") else index, is_done)
