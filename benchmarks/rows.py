"""The result of a benchmark: rows of the performance table."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Parameters
    ----------
    name
        What was measured.
    figure
        The result.
    unit
        Unit of `figure`.
    peer
        What it is compared with, and the peer's figure; None without a peer.
    ratio
        `figure` against the peer's, measured in the same run.
    target
        Target of the project for `figure` or `ratio`.
    """

    name: str
    figure: float
    unit: str
    peer: str | None = None
    ratio: float | None = None
    target: str | None = None
