"""What the demo shows in the terminal."""

import time
from collections import deque

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from infra.demo.progress import PipelineState
from infra.demo.receiver import Told
from services.common.terminal import SEVERITY_STYLES
from services.contracts.anomaly import Severity
from services.contracts.components import DETECTOR, INDEXER
from services.contracts.detectors import by_label

RATE_OVER_S = 3.0
PLAIN_EVERY_S = 2.0
LABEL_STYLES = {label: spec.terminal_style for label, spec in by_label().items()}


class PipelineView:
    """Progress of the pipeline: a table updated in place on a terminal, a line every 2 s otherwise.

    Parameters
    ----------
    console
        Console to print to.
    title
        Description of the replayed data.
    expected_trades
        Total number of trades for the progress bars; None if unknown.
    """

    def __init__(self, console: Console, title: str, expected_trades: int | None) -> None:
        self._console = console
        self._title = title
        self._expected_trades = expected_trades
        self._began_s = time.monotonic()
        self._history: deque[tuple[float, PipelineState]] = deque()
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._next_line_s = 0.0

    def __enter__(self) -> "PipelineView":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def show(self, state: PipelineState, told: Told, feed: str = "") -> None:
        """Show a new state.

        Parameters
        ----------
        state
            The pipeline's.
        told
            What the demo's webhook was told.
        feed
            How a live feed is; empty without one.
        """
        now_s = time.monotonic()
        self._history.append((now_s, state))
        while now_s - self._history[0][0] > RATE_OVER_S:
            self._history.popleft()
        if self._live:
            self._live.update(self._panel(state, told, feed), refresh=True)
        elif now_s >= self._next_line_s:
            self._next_line_s = now_s + PLAIN_EVERY_S
            self._console.print(
                f"{now_s - self._began_s:5.0f} s  produced {state.trades:,}  detected {state.detected:,}  "
                f"indexed {state.trades_indexed:,} trades, {state.searchable:,} anomalies  "
                + ("" if state.trades_stored is None else f"in Postgres {state.trades_stored:,}  ")
                + f"alerts {len(told.opened):,}  "
                f"lag {state.detector_lag:,} / {state.indexer_lag:,}"
                + "".join(f"  {name} is loading" for name in state.loading)
                + (f"  {feed}" if feed else ""),
                markup=False,
                soft_wrap=True,
            )

    def _panel(self, state: PipelineState, told: Told, feed: str) -> RenderableType:
        stages = Table(box=None, padding=(0, 2), header_style="dim")
        stages.add_column("")
        stages.add_column("", width=24)
        for name in ("trades", "per second", "lag"):
            stages.add_column(name, justify="right", min_width=10)
        rows: list[tuple[str, str, int | None, str]] = [
            ("produced", "trades", None, ""),
            ("detected", "detected", state.detector_lag, DETECTOR.service),
            ("indexed", "trades_indexed", state.trades - state.trades_indexed, INDEXER.service),
        ]
        if state.trades_stored is not None:
            rows.append(("in Postgres", "trades_stored", state.trades - state.trades_stored, ""))
        for name, attribute, lag, service in rows:
            count = getattr(state, attribute)
            stages.add_row(
                Text(name, style="bold"),
                ProgressBar(total=self._expected_trades or max(state.trades, 1), completed=count, width=24),
                f"{count:,}",
                f"{self._rate(attribute):,.0f}",
                Text("loading", style="dim") if service in state.loading else _lag(lag),
            )
        labels = Table(box=None, padding=(0, 2), show_header=False)
        labels.add_row(Text("anomalies", style="bold"), f"{state.searchable:,}" if state.searchable else "…")
        for label, count in state.labels.items():
            labels.add_row(Text(f"  {label}", style=LABEL_STYLES.get(label, "")), f"{count:,}")
        labels.add_row(Text("alerts sent", style="bold"), f"{len(told.opened):,}")
        if state.dead_letters:
            labels.add_row(Text("dead letters", style="bold yellow"), f"{state.dead_letters:,}")
        seconds = time.monotonic() - self._began_s
        return Panel(
            Group(*([Text(feed, style="cyan"), Text()] if feed else []), stages, Text(), labels),
            title=Text.assemble(("Tapewatch", "bold"), f" {self._title}"),
            subtitle=f"{seconds:.0f} s",
            title_align="left",
            subtitle_align="right",
            width=min(self._console.width, 90),
        )

    def _rate(self, attribute: str) -> float:
        (first_s, first), (last_s, last) = self._history[0], self._history[-1]
        grown: int = (getattr(last, attribute) or 0) - (getattr(first, attribute) or 0)
        return grown / max(last_s - first_s, 0.1)


def _lag(lag: int | None) -> Text:
    return Text() if lag is None else Text(f"{lag:,}", style="yellow" if lag else "green")


ALERTS_SHOWN = 5


def alerts_table(told: Told) -> RenderableType:
    """Return what the demo's webhook was told: the first alerts as they came, and how many there were."""
    alerts = f"{len(told.opened):,} {'alert' if len(told.opened) == 1 else 'alerts'}"
    messages = f"{told.messages:,} signed {'message' if told.messages == 1 else 'messages'}"
    title = f"{alerts} sent to the demo's own webhook, in {messages}"
    table = Table(title=title, title_justify="left", title_style="bold", box=None, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for alert in told.opened[:ALERTS_SHOWN]:
        severity = Severity(alert["severity"])
        table.add_row(
            Text(severity, style=SEVERITY_STYLES[severity]),
            Text(alert["symbol"], style="bold"),
            Text(alert["message"]),
        )
    if len(told.opened) > ALERTS_SHOWN:
        table.add_row("", "", Text(f"… and {len(told.opened) - ALERTS_SHOWN:,} more", style="dim"))
    return table
