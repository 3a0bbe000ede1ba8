"""The report of a dry run in the terminal."""

import datetime as dt
from collections import Counter
from zoneinfo import ZoneInfo

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from services.alerter.offline.dry_run import DryRun, Fate
from services.alerter.rules.matching import TIME_ZONE
from services.common.terminal import SEVERITY_STYLES, Striking, striking_table
from services.contracts.alert import Alert

WORST_SHOWN = 5
BAR_WIDTH = 40


def terminal_report(run: DryRun) -> RenderableType:
    """Return what would have been sent, for people."""
    parts: list[RenderableType] = [Text(run.summary(), style="bold"), _channels(run)]
    if run.alerts:
        parts += [_severities(run), _hours(run)]
        parts.append(striking_table("The worst alerts", (_striking(one) for one in run.worst(WORST_SHOWN))))
    return Group(*parts)


def _channels(run: DryRun) -> Table:
    table = _table("By rule and channel", "rule", "channel", "alerts", "sent", *map(str, tuple(Fate)[1:]))
    for (rule, channel), fates in run.fates().items():
        told = run.told(rule, channel)
        table.add_row(rule, channel, f"{told:,}", *(f"{fates[fate]:,}" for fate in Fate))
    return table


def _severities(run: DryRun) -> Table:
    table = _table("By severity", "severity", "alerts", "sent")
    for severity, (alerts, sent) in run.severities().items():
        table.add_row(Text(severity, SEVERITY_STYLES[severity]), f"{alerts:,}", f"{sent:,}")
    return table


def _hours(run: DryRun) -> Table:
    """Return the messages by hour of the exchange's clock, hours without any between them included."""
    zone = ZoneInfo(TIME_ZONE)
    counts = Counter(dt.datetime.fromtimestamp(message.at_s, zone).hour for message in run.sent)
    table = _table(f"By hour ({TIME_ZONE})", "hour", "sent", "")
    for hour in range(min(counts, default=0), max(counts, default=-1) + 1):
        bar = "█" * round(BAR_WIDTH * counts[hour] / max(counts.values()))
        table.add_row(f"{hour:02}", f"{counts[hour]:,}", Text(bar, "yellow"))
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    texts = ("rule", "channel", "severity", "hour", "")
    for column in columns:
        table.add_column(column, justify="left" if column in texts else "right", overflow="fold")
    return table


def _striking(alert: Alert) -> Striking:
    trade = alert.worst.trade
    local = dt.datetime.fromisoformat(trade.time).astimezone(ZoneInfo(TIME_ZONE))
    return Striking(
        label=alert.group or alert.labels[0],
        symbol=alert.symbol,
        time=local.strftime("%Y-%m-%d %H:%M:%S.") + f"{local.microsecond // 1000:03}",
        price=trade.price,
        size=trade.size,
        score=alert.score,
        severity=alert.severity,
        message=alert.message,
    )
