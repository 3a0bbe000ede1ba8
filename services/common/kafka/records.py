"""A consumed message that is not an error."""

from typing import Protocol

Headers = list[tuple[str, bytes | None]]
"""Names and values, in the order in which they were written."""


class Record(Protocol):
    """A message with a place in a topic, which the client's own type leaves optional."""

    def topic(self) -> str:
        """Return the topic."""

    def partition(self) -> int:
        """Return the partition's number."""

    def offset(self) -> int:
        """Return the place in the partition."""

    def key(self) -> bytes | None:
        """Return the key, None without one."""

    def value(self) -> bytes | None:
        """Return the value; None is a deletion."""

    def headers(self) -> Headers | None:
        """Return the headers in their order, None without any."""

    def timestamp(self) -> tuple[int, int]:
        """Return the kind of time and the time, in milliseconds since 1970."""
