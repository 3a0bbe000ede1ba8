"""The content of the open transaction, and when to commit it."""

from dataclasses import dataclass

from services.sources.base import Chunk, Cursor

COMMIT_ROWS = 50_000
"""Rows per transaction; this many cost no speed, 5,000 would cost more than half of it."""

COMMIT_REJECTED_BYTES = 16 << 20
"""Maximum size of a transaction's rejected rows, which are kept in the client's memory until the commit."""

COMMIT_S = 0.25
"""Maximum time between commits; readers see trades only after a commit."""


@dataclass
class Pending:
    """Counts of the open transaction.

    Parameters
    ----------
    cursor
        Cursor after the last of its rows.
    began_s
        Time at which it began, on the monotonic clock.
    trades, rejected, rejected_bytes
        Number of trades and of rejected rows, and the size of the rejected ones.
    """

    cursor: Cursor | None
    began_s: float
    trades: int = 0
    rejected: int = 0
    rejected_bytes: int = 0

    def add(self, part: Chunk) -> None:
        """Add the rows of a part, after which a commit is possible."""
        self.cursor = part.cursor
        self.trades += len(part.trades)
        self.rejected += len(part.rejected)
        self.rejected_bytes += sum(len(row.raw) for row in part.rejected)

    def is_old(self, now_s: float, within_s: float = 0.0) -> bool:
        """Whether the transaction is due for a commit within `within_s` seconds."""
        return now_s - self.began_s + within_s >= COMMIT_S

    @property
    def is_large(self) -> bool:
        """Whether more rows should go into the next transaction."""
        return self.trades + self.rejected >= COMMIT_ROWS or self.rejected_bytes >= COMMIT_REJECTED_BYTES
