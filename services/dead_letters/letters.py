"""A dead letter without its value: what it is, where it came from, and what became of it."""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from services.common.kafka.records import Record
from services.contracts import dead_letter

MAX_KIND_CHARS = 60

_TIME = re.compile(r"-?\d{1,18}", re.ASCII)
_ID = re.compile(r"(\d{1,9})-(\d{1,18})", re.ASCII)


class LetterId(NamedTuple):
    """A letter's place in the topic `dead-letters`; written `<partition>-<offset>`."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}-{self.offset}"

    @classmethod
    def parse(cls, text: str) -> "LetterId | None":
        """Parse an id; None if the text is not one."""
        parts = _ID.fullmatch(text)
        return cls(int(parts[1]), int(parts[2])) if parts else None


class MessageOrigin(NamedTuple):
    """The message of a topic that a letter was."""

    topic: str
    partition: int
    offset: int
    at_ms: int | None = None
    """The broker's time of the message, in milliseconds since 1970; None if unknown."""

    def __str__(self) -> str:
        return f"{self.topic} {self.partition}:{self.offset}"

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> "MessageOrigin | None":
        """Read the origin from headers; None if they lack it."""
        partition, offset = headers.get(dead_letter.PARTITION, ""), headers.get(dead_letter.OFFSET, "")
        place = LetterId.parse(f"{partition}-{offset}")
        if place is None or dead_letter.TOPIC not in headers:
            return None
        at_ms = headers.get(dead_letter.TIMESTAMP_MS, "")
        known_at_ms = int(at_ms) if _TIME.fullmatch(at_ms) else None
        return cls(headers[dead_letter.TOPIC], place.partition, place.offset, known_at_ms)

    @property
    def headers(self) -> dict[str, str]:
        """The headers that `of` reads."""
        time = {} if self.at_ms is None else {dead_letter.TIMESTAMP_MS: str(self.at_ms)}
        return {
            dead_letter.TOPIC: self.topic,
            dead_letter.PARTITION: str(self.partition),
            dead_letter.OFFSET: str(self.offset),
        } | time


class RowOrigin(NamedTuple):
    """The row of a file that a letter was."""

    file: str
    line: str

    def __str__(self) -> str:
        return f"{self.file} line {self.line}"


@dataclass(frozen=True, slots=True)
class Letter:
    r"""All of a letter but its value.

    Parameters
    ----------
    id
        Its place in `dead-letters`.
    at_ms
        When it was written there, in milliseconds since 1970.
    key
        Key of the original message.
    size_bytes
        Length of the value.
    headers
        As they came; bytes that are not UTF-8 are written as `\xff`.
    """

    id: LetterId
    at_ms: int
    key: bytes | None
    size_bytes: int
    headers: dict[str, str]

    @classmethod
    def of(cls, message: Record) -> "Letter":
        """Read a message of `dead-letters`, written by any service."""
        return cls(
            LetterId(message.partition(), message.offset()),
            message.timestamp()[1],
            message.key(),
            len(message.value() or b""),
            {name: as_text(value) for name, value in message.headers() or ()},
        )

    @property
    def service(self) -> str:
        """The service that rejected it."""
        return self.headers.get(dead_letter.SERVICE, "unknown")

    @property
    def error(self) -> str:
        """The reason."""
        return self.headers.get(dead_letter.ERROR, "")

    @property
    def error_kind(self) -> str:
        """What letters rejected for the same cause have in common: the error up to its first colon."""
        return self.error.split(":", 1)[0][:MAX_KIND_CHARS].strip() or "no error given"

    @property
    def origin(self) -> MessageOrigin | RowOrigin | None:
        """Where it came from; None if its headers do not say."""
        headers = self.headers
        if dead_letter.FILE in headers:
            return RowOrigin(headers[dead_letter.FILE], headers.get(dead_letter.LINE, "unknown"))
        return MessageOrigin.of(headers)

    @property
    def replay_of(self) -> LetterId | None:
        """The letter that was put back and led to this one."""
        return LetterId.parse(self.headers.get(dead_letter.REPLAY_OF, ""))


def as_text(value: bytes | None) -> str:
    """Write bytes as text, whatever they are."""
    return (value or b"").decode("utf-8", "backslashreplace")


class State(StrEnum):
    """What became of a letter."""

    NEW = "new"
    REPLAYED = "replayed"
    FAILED_AGAIN = "replayed, failed again"


class Origins:
    """Tells the first letter of a message from further ones.

    Each service writes a letter of what it cannot use, so several may be of one message; and one that was
    killed may write its letter again. They are in one partition, so that the first one is the same in
    each reading.
    """

    def __init__(self) -> None:
        self._known: set[MessageOrigin] = set()

    def is_first(self, letter: Letter) -> bool:
        """Whether no letter with this one's origin came before."""
        origin = letter.origin
        if not isinstance(origin, MessageOrigin):
            return True
        known = len(self._known)
        self._known.add(origin)
        return len(self._known) > known


class History:
    """What became of letters: when each was put back, and which of these messages were rejected again.

    It is the same for all letters of one origin.
    """

    def __init__(self) -> None:
        self._replays_ms: defaultdict[LetterId | MessageOrigin, list[int]] = defaultdict(list)
        self._put_back: defaultdict[MessageOrigin, set[LetterId]] = defaultdict(set)
        self._failures: defaultdict[LetterId, set[MessageOrigin | RowOrigin | None]] = defaultdict(set)

    def add_replay(self, letter: LetterId, at_ms: int, origin: MessageOrigin | None = None) -> None:
        """Note that a letter was put back; the origin is the letter's, where the note tells it."""
        self._replays_ms[origin or letter].append(at_ms)
        if origin is not None:
            self._put_back[origin].add(letter)

    def add_letter(self, letter: Letter) -> None:
        """Note whose failure a letter is, if it is one."""
        if letter.replay_of is not None:
            # By origin, as a message may have several letters.
            self._failures[letter.replay_of].add(letter.origin)

    def replays_ms(self, letter: Letter) -> list[int]:
        """Return when a letter was put back, in milliseconds since 1970.

        Replays older than the letter belong to one with the same id from before the topic was recreated.
        """
        noted = [*self._replays_ms.get(letter.id, ())]
        if isinstance(letter.origin, MessageOrigin):
            noted += self._replays_ms.get(letter.origin, ())
        return [at_ms for at_ms in noted if at_ms >= letter.at_ms]

    def state(self, letter: Letter) -> State:
        """Return what became of a letter: it failed again if each replay of it did."""
        replays = len(self.replays_ms(letter))
        ids = {letter.id}
        if isinstance(letter.origin, MessageOrigin):
            ids |= self._put_back.get(letter.origin, set())
        failures = len(set[object]().union(*(self._failures.get(one, ()) for one in ids)))
        if failures and failures >= replays:
            return State.FAILED_AGAIN
        return State.REPLAYED if replays else State.NEW
