"""Labels of real trades, by their ids: analysts' verdicts, venues' cancellations, or a file."""

import csv
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from services.common.elastic.client import Elasticsearch
from services.common.errors import TapewatchError
from services.detector.offline.evaluation.cancels import TAKEN_BACK
from services.detector.offline.evaluation.metrics import NATURAL
from services.detector.offline.training.days import SessionDay
from services.detector.offline.training.labelled import LabelledDay
from services.detector.offline.training.labels.base import Origin
from services.review.corrections import read_corrections
from services.review.verdicts import Decision, read_verdicts

MOST_VERDICTS = 1_000_000
NO_ANOMALY = frozenset({"", "0", "false", "natural", "none", "ordinary", "false alarm"})
"""What a label file calls a trade that is none."""


@dataclass(frozen=True)
class Mark:
    """What is known of one trade."""

    kind: str
    """Empty for one that is no anomaly."""
    event: str
    """Trades with the same one belong together."""


class MarkedTrades(Origin):
    """Real trades that somebody has judged; a day without any is left out.

    Parameters
    ----------
    weight
        See `Origin`.
    """

    def __init__(self, weight: float) -> None:
        self.weight = weight
        self._marks: Mapping[str, Mark] | None = None

    @abstractmethod
    def read(self, first_day: str) -> Mapping[str, Mark]:
        """Read what is known of trades from a day on, by `trade_id`."""

    def learnt(self, day: SessionDay) -> Iterator[LabelledDay]:
        """See `Origin`; all other trades of the day count as ordinary, as most of them are."""
        if self._marks is None:
            self._marks = self.read(day.day)
        frame = day.frame()
        marks = self._marks
        known = [(row, marks[one]) for row, one in enumerate(frame["trade_id"]) if one in marks]
        if not known:
            return
        event = np.full(len(frame), NATURAL)
        is_cleared = np.zeros(len(frame), bool)
        numbers: dict[str, int] = {}
        kinds: list[str] = []
        for row, mark in known:
            if not mark.kind:
                is_cleared[row] = True
                continue
            if mark.event not in numbers:
                numbers[mark.event] = len(kinds)
                kinds.append(mark.kind)
            event[row] = numbers[mark.event]
        yield LabelledDay(day.day, self.name, "", frame["json"].to_list(), event, kinds, is_cleared)

    def tested(self, day: SessionDay) -> Iterator[LabelledDay]:
        """See `Origin`: the same copy."""
        yield from self.learnt(day)


class IndexedMarks(MarkedTrades):
    """What is known of trades in Elasticsearch.

    Parameters
    ----------
    client
        Client of the cluster.
    weight
        See `Origin`.
    """

    def __init__(self, client: Elasticsearch, weight: float) -> None:
        super().__init__(weight)
        self._client = client


class VerdictLabels(IndexedMarks):
    """What analysts said: confirmed anomalies, and false alarms.

    Only what was flagged, or drawn to be reviewed blind, has a verdict: what all detectors miss is among the
    ordinary trades.
    """

    name = "verdicts"

    def read(self, first_day: str) -> Mapping[str, Mark]:  # noqa: ARG002 - verdicts have no order in time
        """See `MarkedTrades`."""
        kinds = {Decision.CONFIRMED: "confirmed", Decision.FALSE_ALARM: ""}
        return {
            one["trade_id"]: Mark(kinds[one["verdict"]], one["trade_id"])
            for page in read_verdicts(self._client, MOST_VERDICTS)
            for one in page
            if one["verdict"] in kinds
        }


class CancelLabels(IndexedMarks):
    """What venues cancelled, or reported in error."""

    name = "cancels"

    def read(self, first_day: str) -> Mapping[str, Mark]:
        """See `MarkedTrades`; of several corrections of one trade the last one counts."""
        since = pl.Series([first_day]).str.to_datetime("%Y-%m-%d")[0]
        found, _ = read_corrections(self._client, since)
        last = {one.trade_id: one for one in found if one.trade_id is not None}
        return {key: Mark("cancelled", key) for key, one in last.items() if one.action in TAKEN_BACK}


class FileLabels(MarkedTrades):
    """A CSV file with `trade_id`, and what else it has of `kind`, `event_id` and `label`.

    Without `label` every trade in it is an anomaly, as in what `tapewatch generate --labels` writes; a trade
    whose label is `0`, `false`, `natural`, `false alarm` or the like is known to be none.

    Parameters
    ----------
    path
        The file.
    weight
        See `Origin`.
    """

    name = "file"

    def __init__(self, path: Path, weight: float) -> None:
        super().__init__(weight)
        self._path = path

    def read(self, first_day: str) -> Mapping[str, Mark]:  # noqa: ARG002 - it is read as a whole
        """See `MarkedTrades`.

        Raises
        ------
        TapewatchError
            The file cannot be read, or has no column `trade_id`.
        """
        try:
            with self._path.open(newline="", encoding="utf-8") as file:
                lines = csv.DictReader(file)
                if "trade_id" not in (lines.fieldnames or ()):
                    raise TapewatchError(
                        f"{self._path} has no column trade_id.",
                        "Give a CSV file with trade_id, and with label (1 or 0), kind or event_id if known.",
                    )
                return {line["trade_id"]: _mark(line) for line in lines}
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise TapewatchError(
                f"{self._path} cannot be read: {error}.", "Give a CSV file with a column trade_id."
            ) from error


def _mark(line: Mapping[str, str | None]) -> Mark:
    label = line.get("label")
    is_none = label is not None and label.strip().lower() in NO_ANOMALY
    kind = "" if is_none else line.get("kind") or "labelled"
    return Mark(kind, line.get("event_id") or str(line["trade_id"]))
