"""A copy of a day whose anomalies are known."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from services.detector.offline.evaluation.metrics import NATURAL


@dataclass(frozen=True)
class LabelledDay:
    """Messages of a day, n of them, and which of them are anomalies.

    Parameters
    ----------
    day
        `YYYY-MM-DD`.
    origin
        Where the labels are from, a key of `labels.registry.ORIGINS`.
    style
        What they look like, such as the style of injected bursts; empty where that is not known.
    messages
        The trades as JSON.
    event
        Number of each trade's anomaly, `NATURAL` for others, int64, shape (n,).
    kinds
        Kind of each anomaly.
    is_cleared
        Trades that somebody looked at and found to be none, bool, shape (n,).
    """

    day: str
    origin: str
    style: str
    messages: Sequence[bytes]
    event: np.ndarray
    kinds: list[str]
    is_cleared: np.ndarray

    def __len__(self) -> int:
        return len(self.messages)


def from_rows(
    day: str, origin: str, style: str, messages: Sequence[bytes], rows: pl.DataFrame, kinds: list[str]
) -> LabelledDay:
    """Return a day by the rows of its anomalies.

    Parameters
    ----------
    day, origin, style, messages, kinds
        As in `LabelledDay`.
    rows
        `row` and `event`; of a row in several the first counts.
    """
    event = np.full(len(messages), NATURAL)
    first = rows.unique("row", keep="first", maintain_order=True)
    event[first["row"].to_numpy()] = first["event"].to_numpy()
    return LabelledDay(day, origin, style, messages, event, kinds, np.zeros(len(messages), bool))
