"""Counts of a backtest, and its report in the terminal."""

import datetime as dt
import heapq
import itertools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from zoneinfo import ZoneInfo

import polars as pl
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from services.common.terminal import SEVERITY_STYLES, Striking, striking_table
from services.contracts.anomaly import Anomaly, Severity
from services.contracts.trade import Trade
from services.detector.engine.columns import TradeColumns
from services.detector.engine.state import OutOfOrder

STRIKING_KEPT = 10
"""Highest-scoring anomalies kept of each label."""
STRIKING_SHOWN = 3
"""How many of them the terminal shows."""
ROWS_SHOWN = 20
"""Symbols and sessions that a report lists."""
SLOT_MINUTES = 15
"""Width of a bar of the day."""
SCORE_BINS = 40
"""Bins of the score's distribution, from 0 to 1."""

SEVERITIES = tuple(reversed(Severity))


class Session(NamedTuple):
    """A symbol's trading day, `YYYY-MM-DD`."""

    symbol: str
    day: str


class Rate(NamedTuple):
    """How many of some trades were flagged; `info` counts those outside any alert budget."""

    name: str
    trades: int
    flagged: int
    info: int

    @property
    def per_1000(self) -> float:
        """Flagged trades in 1,000, `info` aside."""
        return 1000 * self.flagged / self.trades if self.trades else 0.0


class Tally:
    """Counts trades and anomalies; keeps only the highest-scoring ones.

    An anomaly counts once, under its primary label; `also` counts its secondary labels.

    Parameters
    ----------
    time_zone
        The exchange's.
    """

    def __init__(self, time_zone: str) -> None:
        self.time_zone = time_zone
        self.anomalies = 0
        self.severities: Counter[tuple[str, str]] = Counter()  # by label and severity
        self.also: Counter[str] = Counter()
        self.times: Counter[tuple[str, int]] = Counter()  # by label and slot of the day
        self.scores: Counter[tuple[str, int]] = Counter()  # by label and bin, `info` aside
        self._zone = ZoneInfo(time_zone)
        self._session_trades: Counter[Session] = Counter()
        self._hour_trades: Counter[int] = Counter()
        self._sessions: dict[str, Counter[Session]] = {"flagged": Counter(), "info": Counter()}
        self._hours: dict[str, Counter[int]] = {"flagged": Counter(), "info": Counter()}
        self._striking: dict[str, list[tuple[float, int, Striking]]] = {}
        self._number = itertools.count()

    def add_trades(self, columns: TradeColumns) -> None:
        """Count trades."""
        times = pl.Series(columns.event_ns).cast(pl.Datetime("ns", "UTC"))
        hours = times.dt.convert_time_zone(self.time_zone).dt.hour()
        frame = pl.DataFrame({"symbol": columns.symbol, "day": columns.day, "hour": hours})
        for symbol, day, hour, count in frame.group_by("symbol", "day", "hour").len().rows():
            date = dt.date(1970, 1, 1) + dt.timedelta(days=day)
            self._session_trades[Session(symbol, str(date))] += count
            self._hour_trades[hour] += count

    def add_anomaly(self, trade: Trade, anomaly: Anomaly) -> None:
        """Count an anomalous trade."""
        label, *others = anomaly.anomalies
        severity, score = anomaly.severity, anomaly.score
        local = dt.datetime.fromisoformat(trade.timestamp).astimezone(self._zone)
        kind = "info" if severity == Severity.INFO else "flagged"
        self.anomalies += 1
        self.severities[label, severity] += 1
        self.also.update(others)
        self.times[label, (local.hour * 60 + local.minute) // SLOT_MINUTES] += 1
        self._sessions[kind][Session(trade.symbol, anomaly.session)] += 1
        self._hours[kind][local.hour] += 1
        if kind == "info":
            return
        self.scores[label, min(int(score * SCORE_BINS), SCORE_BINS - 1)] += 1
        best = self._striking.setdefault(label, [])
        striking = Striking(
            label=label,
            symbol=trade.symbol,
            time=local.strftime("%Y-%m-%d %H:%M:%S.") + f"{local.microsecond // 1000:03}",
            price=trade.price,
            size=trade.size,
            score=score,
            severity=severity,
            message=anomaly.message,
        )
        # The number settles ties: the earlier one stays.
        heapq.heappush(best, (score, -next(self._number), striking))
        if len(best) > STRIKING_KEPT:
            heapq.heappop(best)

    @property
    def trades(self) -> int:
        """Total number of trades."""
        return self._session_trades.total()

    @property
    def labels(self) -> list[str]:
        """Primary and secondary labels of the anomalies, the most frequent first."""
        counts = Counter(self.also)
        for (label, _), count in self.severities.items():
            counts[label] += count
        return [label for label, _ in counts.most_common()]

    @property
    def overall(self) -> Rate:
        """All trades."""
        flagged, info = self._sessions["flagged"].total(), self._sessions["info"].total()
        return Rate("all", self.trades, flagged, info)

    def hours(self) -> list[Rate]:
        """Return the hours of the exchange's day that had trades."""
        return [
            Rate(f"{hour:02}:00", trades, self._hours["flagged"][hour], self._hours["info"][hour])
            for hour, trades in sorted(self._hour_trades.items())
        ]

    @property
    def symbol_days(self) -> int:
        """How many days of symbols the trades are of."""
        return len(self._session_trades)

    def sessions(self) -> list[Rate]:
        """Return the sessions, those with the highest alert rate first."""
        rates = [
            Rate(
                f"{session.symbol} {session.day}",
                trades,
                self._sessions["flagged"][session],
                self._sessions["info"][session],
            )
            for session, trades in self._session_trades.items()
        ]
        return sorted(rates, key=lambda rate: (-rate.per_1000, rate.name))

    def symbols(self) -> list[Rate]:
        """Return the symbols, those with the most flagged trades first."""
        sums: dict[str, list[int]] = {}
        for session, trades in self._session_trades.items():
            counts = (trades, self._sessions["flagged"][session], self._sessions["info"][session])
            sums[session.symbol] = [
                a + b for a, b in zip(sums.get(session.symbol, (0, 0, 0)), counts, strict=True)
            ]
        rates = [Rate(symbol, *counts) for symbol, counts in sums.items()]
        return sorted(rates, key=lambda rate: (-rate.flagged, rate.name))

    def striking(self, each: int = STRIKING_KEPT) -> list[Striking]:
        """Return the highest scores of each label, the label with the highest first."""
        ranked = [
            sorted(best, key=lambda one: one[:2], reverse=True)[:each] for best in self._striking.values()
        ]
        ranked.sort(key=lambda best: best[0][:2], reverse=True)
        return [striking for best in ranked for _, _, striking in best]


@dataclass(frozen=True)
class Report:
    """The content of a backtest's report.

    Parameters
    ----------
    tally
        Its counts.
    profile
        The profile's name.
    files
        The files' names, without their folders.
    bad_rows
        Rows that are not trades.
    out_of_order
        Trades that did not come in order.
    seconds
        Duration.
    remarks
        Sentences on symbols that a detector does not judge.
    held_back
        How many detections each line of the profile's `suppress` and `calendar` held back.
    """

    tally: Tally
    profile: str
    files: list[str]
    bad_rows: int
    out_of_order: OutOfOrder
    seconds: float
    remarks: list[str] = field(default_factory=list)
    held_back: Mapping[str, int] = field(default_factory=dict)

    def summary(self) -> list[tuple[str, str]]:
        """Return the overall figures, with names."""
        rate = self.tally.overall
        return [
            ("profile", self.profile),
            ("trades", f"{rate.trades:,}"),
            ("bad rows", f"{self.bad_rows:,}"),
            ("late or repeated", f"{self.out_of_order.all:,}"),
            ("anomalies", f"{self.tally.anomalies:,}"),
            ("of these info", f"{rate.info:,}"),
            ("flagged per 1,000 trades, info aside", f"{rate.per_1000:.3f}"),
            (
                "flagged per symbol and day, info aside",
                f"{rate.flagged / max(self.tally.symbol_days, 1):,.1f}",
            ),
            ("seconds", f"{self.seconds:.1f} ({rate.trades / max(self.seconds, 1e-9):,.0f} trades/s)"),
        ]


def terminal_report(report: Report) -> Group:
    """Lay a report out for the terminal."""
    tally = report.tally
    summary = Table(title="Backtest", show_header=False, title_justify="left", box=box.SIMPLE_HEAD)
    summary.add_column()
    summary.add_column(justify="right")
    for name, value in report.summary():
        summary.add_row(name, Text(value))
    parts: list[RenderableType] = [summary]
    if warning := report.out_of_order.warning(tally.trades):
        parts.append(Text(warning, style="bold red"))
    parts += [Text(remark, style="yellow") for remark in report.remarks]
    if tally.anomalies:
        parts.append(_label_table(tally))
    if report.held_back:
        parts.append(_held_back_table(report.held_back))
    if tally.trades:
        symbols, sessions = tally.symbols(), tally.sessions()
        parts.append(_rate_table("By hour, exchange time", "hour", tally.hours()))
        parts.append(_rate_table("By symbol", "symbol", symbols))
        if len(sessions) > len(symbols):
            parts.append(_rate_table("By session", "session", sessions))
    if striking := tally.striking(STRIKING_SHOWN):
        parts.append(striking_table("Highest scores of each label", striking))
    return Group(*parts)


def _label_table(tally: Tally) -> Table:
    table = _table("By primary label")
    table.add_column("label")
    for severity in SEVERITIES:
        table.add_column(severity, justify="right", style=SEVERITY_STYLES[severity].split(" on ")[0])
    table.add_column("all", justify="right", style="bold")
    table.add_column("as secondary", justify="right")
    for label in tally.labels:
        counts = [tally.severities[label, severity] for severity in SEVERITIES]
        table.add_row(Text(label), *map(_count, counts), _count(sum(counts)), _count(tally.also[label]))
    return table


def _held_back_table(held_back: Mapping[str, int]) -> Table:
    table = _table("Held back by the profile")
    table.add_column("line")
    table.add_column("detections", justify="right")
    for line, count in held_back.items():
        table.add_row(Text(line), _count(count))
    return table


def _rate_table(title: str, name: str, rates: list[Rate]) -> Table:
    table = _table(title)
    table.add_column(name)
    for column in ("trades", "flagged", "per 1,000", "info"):
        table.add_column(column, justify="right")
    for rate in rates[:ROWS_SHOWN] if name != "hour" else rates:
        table.add_row(
            Text(rate.name),
            f"{rate.trades:,}",
            _count(rate.flagged),
            f"{rate.per_1000:.3f}",
            _count(rate.info),
        )
    if name != "hour" and len(rates) > ROWS_SHOWN:
        table.caption = f"and {len(rates) - ROWS_SHOWN:,} more"
    return table


def _table(title: str) -> Table:
    return Table(
        title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, caption_justify="left"
    )


def _count(count: int) -> str:
    return f"{count:,}" if count else "·"
