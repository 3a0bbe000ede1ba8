"""What the demo shows in the terminal."""

import time
from collections import deque
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from infra.demo.progress import PipelineState
from services.common.terminal import Striking
from services.contracts.anomaly import Severity
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

    def show(self, state: PipelineState, feed: str = "") -> None:
        """Show a new state.

        Parameters
        ----------
        state
            The pipeline's.
        feed
            How a live feed is; empty without one.
        """
        now_s = time.monotonic()
        self._history.append((now_s, state))
        while now_s - self._history[0][0] > RATE_OVER_S:
            self._history.popleft()
        if self._live:
            self._live.update(self._panel(state, feed), refresh=True)
        elif now_s >= self._next_line_s:
            self._next_line_s = now_s + PLAIN_EVERY_S
            self._console.print(
                f"{now_s - self._began_s:5.0f} s  produced {state.trades:,}  detected {state.detected:,}  "
                f"indexed {state.trades_indexed:,} trades, {state.searchable:,} anomalies  "
                f"lag {state.detector_lag:,} / {state.indexer_lag:,}" + (f"  {feed}" if feed else ""),
                markup=False,
                soft_wrap=True,
            )

    def _panel(self, state: PipelineState, feed: str) -> RenderableType:
        stages = Table(box=None, padding=(0, 2), header_style="dim")
        stages.add_column("")
        stages.add_column("", width=24)
        for name in ("trades", "per second", "lag"):
            stages.add_column(name, justify="right", min_width=10)
        for name, attribute, lag in (
            ("produced", "trades", None),
            ("detected", "detected", state.detector_lag),
            ("indexed", "trades_indexed", state.trades - state.trades_indexed),
        ):
            count = getattr(state, attribute)
            stages.add_row(
                Text(name, style="bold"),
                ProgressBar(total=self._expected_trades or max(state.trades, 1), completed=count, width=24),
                f"{count:,}",
                f"{self._rate(attribute):,.0f}",
                "" if lag is None else Text(f"{lag:,}", style="yellow" if lag else "green"),
            )
        labels = Table(box=None, padding=(0, 2), show_header=False)
        labels.add_row(Text("anomalies", style="bold"), f"{state.searchable:,}" if state.searchable else "…")
        for label, count in state.labels.items():
            labels.add_row(Text(f"  {label}", style=LABEL_STYLES.get(label, "")), f"{count:,}")
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
        grown: int = getattr(last, attribute) - getattr(first, attribute)
        return grown / max(last_s - first_s, 0.1)


def as_striking(document: dict[str, Any]) -> Striking:
    """Return an anomaly's document as a row of the table of striking anomalies."""
    time_utc = document["@timestamp"][:23].replace("T", " ")
    return Striking(
        label=document["anomalies"][0],
        symbol=document["symbol"],
        time=f"{time_utc} UTC",
        price=document["price"],
        size=document["size"],
        score=document["score"],
        severity=Severity(document["severity"]),
        message=document["message"],
    )
