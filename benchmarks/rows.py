"""The results of benchmarks: rows of the performance table, and tables of their own."""

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


@dataclass(frozen=True)
class Table:
    """A table of its own, where each thing that was measured has several figures.

    Parameters
    ----------
    title
        What it is about, empty for the main one.
    columns
        Titles of the columns.
    rows
        Cells of each row, as many as columns.
    texts
        Titles of the columns that have texts; the others have numbers.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: frozenset[str]
