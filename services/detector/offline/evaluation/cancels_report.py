"""The report of `tapewatch evaluate --truth cancels`: tables for the terminal, and JSON for programs."""

from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from services.common.process.atomic_file import replaced_when_done
from services.common.terminal import SEVERITY_STYLES
from services.contracts.trade import size_text
from services.detector.offline.evaluation.cancels import CancelledPrint, CancelsOutcome

ROWS_SHOWN = 40


@dataclass(frozen=True)
class CancelsReport:
    """The content of the report.

    Parameters
    ----------
    name
        The range of the trades.
    profile, profile_hash
        The profile that judged them.
    outcome
        What came of it.
    """

    name: str
    profile: str
    profile_hash: str
    outcome: CancelsOutcome


def cancels_tables(report: CancelsReport) -> Group:
    """Lay a report out for the terminal."""
    outcome = report.outcome
    share = "-" if outcome.share_found is None else f"{outcome.share_found:.1%}"
    summary = _table("Cancelled prints")
    summary.show_header = False
    summary.add_column()
    summary.add_column(justify="right")
    for name, value in (
        ("trades", report.name),
        ("profile", report.profile),
        ("corrections", f"{outcome.corrections:,}"),
        ("cancelled prints found", f"{len(outcome.found):,} ({share})"),
        ("cancelled prints missed", f"{len(outcome.missed):,}"),
        ("trades read", f"{outcome.trades:,}"),
        ("flagged per 1,000 trades, info aside", f"{outcome.flagged_per_1000:.3f}"),
    ):
        summary.add_row(name, Text(value))
    parts: list[RenderableType] = [summary]
    if outcome.unusable:
        unusable = _table("Corrections that say nothing about the detector")
        unusable.add_column("reason")
        unusable.add_column("corrections", justify="right")
        for reason, count in outcome.unusable.items():
            unusable.add_row(reason, f"{count:,}")
        parts.append(unusable)
    for title, prints in (("Missed", outcome.missed), ("Found", outcome.found)):
        if prints:
            parts.append(_prints_table(title, prints))
    return Group(*parts)


def write_cancels(report: CancelsReport, path: Path) -> None:
    """Write a report as JSON: every print, and every count.

    Raises
    ------
    TapewatchError
        The file cannot be written.
    """
    outcome = report.outcome
    fields = {
        "trades_of": report.name,
        "profile": {"name": report.profile, "hash": report.profile_hash},
        "corrections": outcome.corrections,
        "trades": outcome.trades,
        "flagged": outcome.flagged,
        "flagged_per_1000": outcome.flagged_per_1000,
        "share_found": outcome.share_found,
        "unusable": {reason.name.lower(): count for reason, count in outcome.unusable.items()},
        "found": [asdict(one) for one in outcome.found],
        "missed": [asdict(one) for one in outcome.missed],
    }
    with replaced_when_done(path) as unfinished:
        unfinished.write_bytes(orjson.dumps(fields, option=orjson.OPT_INDENT_2) + b"\n")


def _prints_table(title: str, prints: list[CancelledPrint]) -> Table:
    table = _table(title)
    table.add_column("trade_id", overflow="fold")
    table.add_column("time (UTC)", no_wrap=True)
    table.add_column("symbol")
    for name in ("price", "size", "distance"):
        table.add_column(name, justify="right")
    table.add_column("flagged as")
    for one in prints[:ROWS_SHOWN]:
        table.add_row(
            Text(one.trade_id),
            one.time[:23].removesuffix("Z").replace("T", " "),
            Text(one.symbol),
            f"{one.price:,.10g}",
            size_text(one.size),
            "-" if one.distance_percent is None else f"{one.distance_percent:+.2f} %",
            ""
            if one.severity is None
            else Text(f"{one.severity}: {', '.join(one.labels)}", style=SEVERITY_STYLES[one.severity]),
        )
    if len(prints) > ROWS_SHOWN:
        table.caption = f"and {len(prints) - ROWS_SHOWN:,} more, which --output has"
    return table


def _table(title: str) -> Table:
    return Table(
        title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, caption_justify="left"
    )
