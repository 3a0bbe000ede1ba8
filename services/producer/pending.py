"""What a transaction holds, and when it has to end."""

from dataclasses import dataclass

from services.sources.base import Chunk, Cursor

COMMIT_ROWS = 50_000
"""Transactions of so many rows cost nothing; of 5,000, more than half of the speed."""

COMMIT_REJECTED_BYTES = 16 << 20
"""Rejected rows may be long; what is not committed waits in the client's memory."""

COMMIT_S = 0.25
"""A slow stream is committed that often: readers see trades only then."""


@dataclass
class Pending:
    """What the open transaction holds.

    Parameters
    ----------
    cursor
        Cursor after the last of its rows.
    began_s
        When it began, by the monotonic clock.
    trades, rejected, rejected_bytes
        Its rows, and how long the rejected ones are.
    """

    cursor: Cursor | None
    began_s: float
    trades: int = 0
    rejected: int = 0
    rejected_bytes: int = 0

    def add(self, part: Chunk) -> None:
        """Count the rows of a part, after which a commit may come."""
        self.cursor = part.cursor
        self.trades += len(part.trades)
        self.rejected += len(part.rejected)
        self.rejected_bytes += sum(len(row.raw) for row in part.rejected)

    def is_old(self, now_s: float, within_s: float = 0.0) -> bool:
        """Whether it would be old in so many seconds."""
        return now_s - self.began_s + within_s >= COMMIT_S

    @property
    def is_large(self) -> bool:
        """Whether more rows should go into the next transaction."""
        return self.trades + self.rejected >= COMMIT_ROWS or self.rejected_bytes >= COMMIT_REJECTED_BYTES
