"""A dead letter without its value: what it is, where it came from, and what became of it."""

import re
from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from confluent_kafka import Message

from services.common.kafka.dead_letters import REPLAY_OF_HEADER

MAX_KIND_CHARS = 60

_ID = re.compile(r"(\d{1,9})-(\d{1,18})", re.ASCII)


class LetterId(NamedTuple):
    """A letter's place in the topic `dead-letters`; written `<partition>-<offset>`."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}-{self.offset}"

    @classmethod
    def parse(cls, text: str) -> "LetterId | None":
        """Read an id as it is written; None if it is none."""
        parts = _ID.fullmatch(text)
        return cls(int(parts[1]), int(parts[2])) if parts else None


class MessageOrigin(NamedTuple):
    """The message of a topic that a letter was."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic} {self.partition}:{self.offset}"


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
        Of the original message.
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
    def of(cls, message: Message) -> "Letter":
        """Read a message of `dead-letters`, whoever wrote it."""
        return cls(
            LetterId(message.partition(), message.offset()),
            message.timestamp()[1],
            message.key(),
            len(message.value() or b""),
            {name: as_text(value) for name, value in message.headers() or ()},
        )

    @property
    def service(self) -> str:
        """Which service refused it."""
        return self.headers.get("service", "unknown")

    @property
    def error(self) -> str:
        """Why."""
        return self.headers.get("error", "")

    @property
    def error_kind(self) -> str:
        """What letters refused for the same cause have in common: the error up to its first colon."""
        return self.error.split(":", 1)[0][:MAX_KIND_CHARS].strip() or "no error given"

    @property
    def origin(self) -> MessageOrigin | RowOrigin | None:
        """Where it came from; None if its headers do not tell."""
        headers = self.headers
        if "file" in headers:
            return RowOrigin(headers["file"], headers.get("line", "unknown"))
        partition, offset = headers.get("partition", ""), headers.get("offset", "")
        place = LetterId.parse(f"{partition}-{offset}")
        return MessageOrigin(headers["topic"], *place) if place and "topic" in headers else None

    @property
    def replay_of(self) -> LetterId | None:
        """The letter that was put back and led to this one."""
        return LetterId.parse(self.headers.get(REPLAY_OF_HEADER, ""))


def as_text(value: bytes | None) -> str:
    """Write bytes as text, whatever they are."""
    return (value or b"").decode("utf-8", "backslashreplace")


class State(StrEnum):
    """What became of a letter."""

    NEW = "new"
    REPLAYED = "replayed"
    FAILED_AGAIN = "replayed, failed again"


class History:
    """What became of letters: when each was put back, and which of these messages were refused again."""

    def __init__(self) -> None:
        self._replays_ms: defaultdict[LetterId, list[int]] = defaultdict(list)
        self._failures: defaultdict[LetterId, set[MessageOrigin | RowOrigin | None]] = defaultdict(set)

    def add_replay(self, letter: LetterId, at_ms: int) -> None:
        """Note that a letter was put back."""
        self._replays_ms[letter].append(at_ms)

    def add_letter(self, letter: Letter) -> None:
        """Note whose failure a letter is, if it is one."""
        if letter.replay_of is not None:
            # By origin, as a service that was killed may write a message's letter twice.
            self._failures[letter.replay_of].add(letter.origin)

    def replays_ms(self, letter: Letter) -> list[int]:
        """Return when a letter was put back, in milliseconds since 1970.

        What is older than the letter speaks of another one that had its id before the topic was made anew.
        """
        return [at_ms for at_ms in self._replays_ms.get(letter.id, ()) if at_ms >= letter.at_ms]

    def state(self, letter: Letter) -> State:
        """Return what became of a letter: it failed again if no replay of it is left that did not."""
        replays = len(self.replays_ms(letter))
        failures = len(self._failures.get(letter.id, ()))
        if failures and failures >= replays:
            return State.FAILED_AGAIN
        return State.REPLAYED if replays else State.NEW
