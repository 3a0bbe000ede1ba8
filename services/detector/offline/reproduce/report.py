"""What a reproduction says: the outcome, what was seen, and how far from each threshold it is."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib.metadata import version
from typing import Any

import orjson
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from services.contracts.anomaly import Detection, Model
from services.contracts.detectors import DETECTORS
from services.contracts.trade import size_text
from services.detector.offline.reproduce.documents import Document, FoundProfile
from services.detector.offline.reproduce.nearness import Nearness
from services.detector.offline.reproduce.rebuild import Rebuilt


class Outcome(StrEnum):
    """How what is found compares with what is known."""

    EQUAL = "equal"
    DIFFERENT = "different"
    NOT_FLAGGED = "not flagged"
    ONLY_HERE = "flagged only here"
    ONLY_THERE = "not flagged here"
    FLAGGED = "flagged"

    @property
    def is_surprise(self) -> bool:
        """Whether something else is found than what is known."""
        return self in (Outcome.DIFFERENT, Outcome.ONLY_HERE, Outcome.ONLY_THERE)


_SENTENCES = {
    Outcome.EQUAL: "Equal: the same bytes as the anomaly's document, detected_at aside.",
    Outcome.DIFFERENT: "Different from the anomaly's document.",
    Outcome.NOT_FLAGGED: "Not flagged.",
    Outcome.ONLY_HERE: "Flagged here, but no anomaly is known of it.",
    Outcome.ONLY_THERE: "Not flagged here, but an anomaly is known of it.",
    Outcome.FLAGGED: "Flagged; compared with nothing.",
}

STATE = (
    ("low", "lowest of the recent prices"),
    ("high", "highest of the recent prices"),
    ("distance", "price beyond these"),
    ("price_scale", "unit of such distances at this moment"),
    ("price_tick", "tick"),
    ("price_gap_s", "seconds since the last price"),
    ("price_rarity", "rarity of the price, decades"),
    ("mean_size", "mean size of recent prints"),
    ("size_ratio", "logarithm of the size in such means"),
    ("size_context", "what goes with natural blocks"),
    ("size_rarity", "rarity of the size, decades"),
    ("size_limit", "size that would just be flagged"),
    ("burst_trades", "prints of the burst under way"),
    ("burst_drift", "what they moved the price by"),
    ("burst_rarity", "rarity of the burst, decades"),
)
"""Measures that the terminal shows, in words; JSON has all of them."""


@dataclass(frozen=True)
class Report:
    """What is found of one print.

    Parameters
    ----------
    trade_id
        Its id.
    rebuilt
        What an engine says of it.
    profile
        The profile that it was judged with.
    order
        The order in which the session's trades were judged, in words.
    compared
        Whether there is something that knows whether it is an anomaly.
    known
        The anomaly's document that it is compared with; None without any.
    known_model
        What found that one.
    correction
        What the venue said of the print afterwards; None if nothing.
    document
        The anomaly's document as it is found now, with `detected_at` of the known one; None if it is none.
    """

    trade_id: str
    rebuilt: Rebuilt
    profile: FoundProfile
    order: str
    compared: bool
    known: Document | None
    known_model: Model | None
    correction: str | None
    document: bytes | None

    @property
    def outcome(self) -> Outcome:
        """How the two compare."""
        if self.known is None:
            if self.document is None:
                return Outcome.NOT_FLAGGED
            return Outcome.ONLY_HERE if self.compared else Outcome.FLAGGED
        if self.document is None:
            return Outcome.ONLY_THERE
        return Outcome.EQUAL if self.document == orjson.dumps(self.known) else Outcome.DIFFERENT

    @property
    def version(self) -> str:
        """Of this Tapewatch."""
        return version("tapewatch")

    def remarks(self) -> list[str]:
        """Return why what is found may differ from what is known, or why there is little to say."""
        found = self.rebuilt
        remarks = []
        if self.known_model is not None:
            if self.known_model.version != self.version:
                remarks.append(
                    f"The anomaly was found by Tapewatch {self.known_model.version}; this is {self.version}, "
                    "which may judge otherwise."
                )
            if self.known_model.profile != self.profile.profile.hash:
                remarks.append(
                    f"The anomaly was found with the profile {self.known_model.profile}, not with this one."
                )
        if self.outcome.is_surprise and not remarks:
            remarks.append(
                "The same code and profile differ only if the session's trades, or their order, are not "
                "those that the detector saw: some may have come late, or be missing. Give the day's file."
            )
        if self.correction is not None:
            remarks.append(f"The print was {self.correction}; it is judged as it was printed.")
        if found.late_s is not None:
            remarks.append(
                f"The print came {found.late_s:,.3g} s late: it was judged by the state that the session had "
                "by then, and not learnt from."
            )
        if found.fate.repeats:
            remarks.append("The print is a repeat of one that is known already: nothing happens.")
        if found.fate.too_late:
            remarks.append("The print is older than what a session remembers: it is not judged.")
        elif not found.nearness and not found.fate.repeats:
            remarks.append(
                "What this profile's detectors learn cannot be put back, so no other print was tried in the "
                "place of this one."
            )
        if found.part_of is not None:
            remarks.append(f"What is flagged of it is part of the anomaly {found.part_of}.")
        remarks += [f"The profile holds a detection of it back: {line}." for line in found.held_back]
        return remarks

    def differences(self) -> list[tuple[str, Any, Any]]:
        """Return the fields that differ: the known value and the one that is found."""
        if self.known is None or self.document is None:
            return []
        made = orjson.loads(self.document)
        names = dict.fromkeys((*self.known, *made))
        return [
            (name, self.known.get(name), made.get(name))
            for name in names
            if self.known.get(name) != made.get(name)
        ]

    def to_json(self) -> dict[str, Any]:
        """Return the report for programs."""
        found = self.rebuilt
        return {
            "trade_id": self.trade_id,
            "symbol": found.session.symbol,
            "session": found.session.day,
            "outcome": self.outcome.value,
            "remarks": self.remarks(),
            "differences": [
                {"field": name, "known": known, "found": made} for name, known, made in self.differences()
            ],
            "version": {
                "known": self.known_model.version if self.known_model else None,
                "here": self.version,
            },
            "profile": {
                "hash": self.profile.profile.hash,
                "name": self.profile.profile.name,
                "origin": self.profile.origin,
                "parameters": orjson.loads(self.profile.profile.model_dump_json()),
            },
            "order": self.order,
            "trades_before": found.trades,
            "late_before": found.out_of_order.late,
            "late_s": found.late_s,
            "part_of": found.part_of,
            "held_back": found.held_back,
            "brought_by": found.brought_by,
            "trade": orjson.loads(found.origin),
            "anomaly": None if self.document is None else orjson.loads(self.document),
            "margins": [margin_of(one) for one in found.anomaly.detections] if found.anomaly else [],
            "nearness": [
                asdict(one) | {"share_of_thresholds": found.eased.get(one.detector)} for one in found.nearness
            ],
            "state": found.measures,
        }


def margin_of(detection: Detection) -> dict[str, Any]:
    """Return how far beyond its threshold a detection is: in its unit, and in distances of the threshold."""
    beyond = abs(detection.value - detection.expected) - abs(detection.threshold - detection.expected)
    reach = abs(detection.threshold - detection.expected)
    return {
        "detector": detection.detector,
        "beyond": beyond,
        "times_threshold": (reach + beyond) / reach if reach else None,
        "score": detection.score,
    }


def terminal_report(report: Report) -> Group:
    """Lay a report out for the terminal."""
    found = report.rebuilt
    trade = orjson.loads(found.origin)
    style = "bold red" if report.outcome.is_surprise else "bold green"
    parts: list[RenderableType] = [
        Text.assemble(
            (f"{trade['symbol']} ", "bold"),
            f"{size_text(trade['size'])} at {trade['price']:,.10g}, {trade['@timestamp']}  ",
            (report.trade_id, "dim"),
        ),
        Text(_SENTENCES[report.outcome], style=style),
        *(Text(remark, style="yellow") for remark in report.remarks()),
        _facts(report),
    ]
    if found.anomaly is not None:
        parts.append(Text(found.anomaly.message))
        parts.append(_detections_table(found.anomaly.detections))
    if differences := report.differences():
        parts.append(_differences_table(differences))
    if found.nearness:
        parts.append(_nearness_table(found.nearness, found.eased))
    if state := _shown_state(found.measures):
        parts.append(_state_table(state))
    return Group(*parts)


def _facts(report: Report) -> Table:
    found, profile = report.rebuilt, report.profile
    table = Table(show_header=False, box=box.SIMPLE)
    table.add_column(style="dim")
    table.add_column()
    late = f", of these {found.out_of_order.all:,} late or repeated" if found.out_of_order.all else ""
    by = f", found by {report.known_model.version}" if report.known_model else ""
    for name, value in (
        ("session", f"{found.session.day or 'endless'}: {found.trades:,} trades before it{late}"),
        ("order", report.order),
        ("profile", f"{profile.profile.name} {profile.profile.hash} ({profile.origin})"),
        ("Tapewatch", f"{report.version}{by}"),
        ("last brought by", found.brought_by),
    ):
        if value is not None:
            table.add_row(name, Text(value))
    return table


def _detections_table(detections: list[Detection]) -> Table:
    table = _table("Flagged")
    table.add_column("label")
    for name in ("seen", "expected", "flagged beyond", "times the threshold", "score"):
        table.add_column(name, justify="right")
    for one in detections:
        times = margin_of(one)["times_threshold"]
        table.add_row(
            Text(one.label),
            *(f"{value:,.6g}" for value in (one.value, one.expected, one.threshold)),
            "" if times is None else f"{times:,.3g}",
            f"{one.score:.3f}",
        )
    return table


def _differences_table(differences: list[tuple[str, Any, Any]]) -> Table:
    table = _table("Differences")
    for name in ("field", "known", "found here"):
        table.add_column(name, overflow="fold")
    for name, *values in differences:
        table.add_row(Text(name), *(Text(orjson.dumps(value).decode()) for value in values))
    return table


def _nearness_table(nearness: list[Nearness], eased: Mapping[str, float]) -> Table:
    table = _table("How far it was from each detector")
    table.caption = (
        "Evidence in that of an alert: 1 is flagged. Then what this print would have been flagged at "
        "instead, all else equal: the price, the size, or so many of it at once; or with what share of the "
        "detector's thresholds."
    )
    table.add_column("detector")
    for name in ("evidence", "price up", "price down", "size", "prints", "thresholds"):
        table.add_column(name, justify="right")
    judges = [one for one in nearness if one.is_flagged or not one.is_out_of_reach or one.detector in eased]
    for one in judges:
        table.add_row(
            Text(DETECTORS[one.detector].title, style="bold" if one.is_flagged else ""),
            "flagged" if one.is_flagged else _number(one.evidence, ".2f"),
            _number(one.price_above, ",.10g"),
            _number(one.price_below, ",.10g"),
            _number(one.size, ",.10g"),
            _number(one.prints, ","),
            _number(eased.get(one.detector), ".0%"),
        )
    others = [DETECTORS[one.detector].title for one in nearness if one not in judges]
    if others:
        table.caption += f" Nothing of that would have been flagged by {', '.join(others)}."
    return table


def _shown_state(measures: Mapping[str, float]) -> list[tuple[str, float]]:
    return [(words, measures[name]) for name, words in STATE if measures.get(name)]


def _state_table(state: list[tuple[str, float]]) -> Table:
    table = _table("What mattered")
    table.add_column("")
    table.add_column("", justify="right")
    for words, value in state:
        table.add_row(words, f"{value:,.8g}")
    return table


def _table(title: str) -> Table:
    return Table(
        title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, caption_justify="left"
    )


def _number(value: float | None, form: str) -> str:
    return "·" if value is None else format(value, form)
