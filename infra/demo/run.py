"""`tapewatch demo`: the whole pipeline on this machine, from a file to anomalies on the screen."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from infra.demo.live import FeedWatch, LiveFeed
from infra.demo.progress import PipelineProgress, PipelineState
from infra.demo.receiver import AlertReceiver
from infra.demo.striking import as_striking, one_per_event, worst_severity
from infra.demo.view import PipelineView, alerts_table
from infra.embedded.child_process import start_child
from infra.embedded.ports import check_port_free, is_listening
from infra.embedded.stack import EmbeddedStack, StackConfig
from infra.setup.run import run_setup
from infra.setup.settings import SetupSettings
from services.common.config.settings import Settings
from services.common.elastic.client import new_client
from services.common.errors import TapewatchError
from services.common.extras import load_with_extra
from services.common.process.atomic_file import replaced_when_done
from services.common.process.shutdown import Stop
from services.common.terminal import striking_table
from services.contracts.anomaly import Severity
from services.contracts.components import INDEXER
from services.contracts.sinks import SINKS
from services.sources.files import open_sources
from services.sources.synthetic.day import DayConfig, write_day

if TYPE_CHECKING:
    from infra.demo.storage import DemoStorage

OUT = Path("out")
REFRESH_S = 0.5
STOP_TIMEOUT_S = 12.0
LOG_LINES_SHOWN = 8


@dataclass(frozen=True)
class DemoConfig:
    """Options of the demo.

    Parameters
    ----------
    data
        Files and globs; empty for a generated day.
    live
        A live feed instead of files; None for files.
    once
        Exit when everything is indexed; without the dashboard.
    kafka_port, elasticsearch_port, dashboard_port
        Ports on 127.0.0.1.
    postgres_port
        The same of a Postgres that gets everything, too; None for none.
    """

    data: list[str]
    live: LiveFeed | None
    once: bool
    kafka_port: int
    elasticsearch_port: int
    dashboard_port: int
    postgres_port: int | None = None


class _Stopped(Exception):  # noqa: N818 - not an error: Ctrl-C or SIGTERM
    def __init__(self, signal_number: int) -> None:
        self.signal = signal_number


def run_demo(config: DemoConfig) -> int:
    """Send trades of files or of a live feed through the whole pipeline; see `DemoConfig`.

    Returns
    -------
    int
        Exit code: 0 if everything was indexed, even if stopped after that, or a feed without an end was
        stopped; 128 + signal if stopped before.

    Raises
    ------
    TapewatchError
        If a port is taken, a file does not contain trades, a feed cannot be opened, or a part of the pipeline
        failed.
    """
    if config.live is not None:
        _check_live(config.live, config)
    console = Console(highlight=False)
    demo = _Demo(config, console)
    with ExitStack() as cleanup:
        try:
            demo.run(cleanup)
        except _Stopped as stopped:
            console.print("Stopping …", style="dim")
            return 0 if demo.is_done else 128 + stopped.signal
    return 0


def _check_live(live: LiveFeed, config: DemoConfig) -> None:
    if config.data:
        raise TapewatchError("Files and a live feed were both given.", "Give one: DATA=… or LIVE=….")
    if config.once and live.duration_s is None:
        raise TapewatchError(
            "A live feed does not end by itself, so the demo would never exit.",
            "Say how long to watch: ARGS='--duration 60', or leave ONCE out.",
        )
    live.check()


class _Demo:
    def __init__(self, config: DemoConfig, console: Console) -> None:
        self._config = config
        self._console = console
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._began_s = time.monotonic()
        self._logs = OUT / "logs"
        self._source = "producer" if config.live is None else "feed"
        """The process that publishes trades."""
        self._expected_trades: int | None = None
        self._receiver: AlertReceiver
        self._storage: DemoStorage | None = None
        self.is_done = False

    def run(self, cleanup: ExitStack) -> None:
        """Run the demo; register what must be stopped in any case with `cleanup`."""
        config = self._config
        self._logs.mkdir(parents=True, exist_ok=True)
        if not config.once:
            check_port_free(config.dashboard_port, "the dashboard", "--dashboard-port")
        live = config.live
        files, title = self._data() if live is None else ([], f"watching {live.title}")
        # The embedded broker has neither TLS nor a login, and no other Postgres is the demo's.
        for name in [one for one in os.environ if one.startswith(("TAPEWATCH_KAFKA_", "TAPEWATCH_POSTGRES"))]:
            del os.environ[name]
        stack = EmbeddedStack(
            StackConfig(kafka_port=config.kafka_port, elasticsearch_port=config.elasticsearch_port),
            report=self._note,
        )
        self._start_servers(stack, cleanup)
        stop = Stop()
        settings = SetupSettings(
            kafka=stack.kafka_bootstrap,
            elasticsearch=stack.elasticsearch_url,
            **(self._storage.setup_settings if self._storage else {}),
        )
        run_setup(settings, lambda _line: None, stop, note=lambda _line: None)
        cleanup.callback(self._stop_children)
        profile = () if live is None else ("--profile", live.profile)
        self._receiver = cleanup.enter_context(AlertReceiver(self._logs))
        # A file's trades are old, and alerts of old trades are sent to nobody unless that is asked for.
        old = ("--send-old",) if live is None else ()
        self._start("alerter", settings, "alert", "--rules", str(self._receiver.rules), *old)
        self._start("detector", settings, "detect", *profile)
        self._start(INDEXER.service, settings, "index")
        if self._storage is not None:
            sink = SINKS["postgres"].component.service
            self._start(sink, settings, "index", "--sink", "postgres", **self._storage.sink_variables)
        if not config.once:
            if live is not None:
                os.environ.setdefault("TAPEWATCH_EXCHANGE", live.exchange)
            self._start("dashboard", settings, "dashboard", "--port", str(config.dashboard_port))
        self._wait_for_alerter(stack, stop)
        self._start(self._source, settings, *(["produce", *files] if live is None else live.command))
        progress = PipelineProgress(
            stack.kafka_connection,
            new_client(settings.elasticsearch),
            has_storage=self._storage is not None,
        )
        cleanup.callback(progress.close)
        watch = None
        if live is not None:
            watch = FeedWatch(live, self._logs / f"{self._source}.log")
            self._note(f"Watching {live.title} with the profile {live.profile}")
            if not config.once:  # there may be no end after which to say it
                self._wait_for_dashboard(stack, stop)
                self._say_where_to_look(settings, None)
            self.is_done = live.duration_s is None
        with PipelineView(self._console, title, self._expected_trades) as view:
            self._follow(stack, progress, view, stop, watch)
        self._conclude(progress)
        if config.once:
            return
        if live is None:
            self._wait_for_dashboard(stack, stop)
            self._say_where_to_look(settings, worst_severity(progress.severities()))
        while True:
            self._check(stack)
            if stop.wait(REFRESH_S):
                raise _Stopped(stop.signal or 0)

    def _wait_for_alerter(self, stack: EmbeddedStack, stop: Stop) -> None:
        """Wait until it reads: it tells of what comes from then on."""
        while not self._events("alerter", "assigned"):
            self._check(stack)
            if stop.wait(REFRESH_S):
                raise _Stopped(stop.signal or 0)

    def _wait_for_dashboard(self, stack: EmbeddedStack, stop: Stop) -> None:
        while not is_listening(self._config.dashboard_port):
            self._check(stack)
            if stop.wait(REFRESH_S):
                raise _Stopped(stop.signal or 0)

    def _data(self) -> tuple[list[str], str]:
        """Return the files to replay and a title for them."""
        if self._config.data:
            sources = open_sources(self._config.data)  # a bad file is reported before anything starts
            names = [str(source.path.resolve()) for source in sources]
            return names, f"replaying {', '.join(source.path.name for source in sources[:3])}" + (
                f" and {len(names) - 3} more" if len(names) > 3 else ""
            )
        day = OUT / "day.csv.zst"
        labels = OUT / "labels.csv"
        config = DayConfig()
        self._note(f"Generating a day of trades in {day}, with labels of its anomalies in {labels}")
        self._expected_trades = write_day(config, day, labels)
        return [str(day)], f"replaying a generated day, {config.date}"

    def _start_servers(self, stack: EmbeddedStack, cleanup: ExitStack) -> None:
        """Start the servers; a signal meanwhile interrupts a download or a start immediately."""
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            stack.start()
            cleanup.callback(stack.stop)
            if self._config.postgres_port is not None:
                # Only now: without Postgres its packages are not needed.
                open_storage = load_with_extra(
                    "infra.demo.storage:open_storage", "The demo's Postgres needs", extra="postgres"
                )
                self._storage = cleanup.enter_context(open_storage(self._config.postgres_port, OUT))
                self._note("Postgres is ready")
        except KeyboardInterrupt:
            raise _Stopped(signal.SIGINT) from None

    def _start(self, name: str, settings: Settings, *command: str, **variables: str) -> None:
        """Start a service as a separate process, as in any deployment; with further variables of its own."""
        env = os.environ | variables
        env |= {
            "TAPEWATCH_KAFKA": settings.kafka,
            "TAPEWATCH_ELASTICSEARCH": settings.elasticsearch,
            "POLARS_MAX_THREADS": "1",  # the services share a few cores with the servers
        }
        log_file = self._logs / f"{name}.log"
        log_file.unlink(missing_ok=True)
        arguments = [sys.executable, "-m", "cli.main", *command]
        self._children[name] = start_child(arguments, log_file=log_file, env=env)

    def _follow(
        self,
        stack: EmbeddedStack,
        progress: PipelineProgress,
        view: PipelineView,
        stop: Stop,
        watch: FeedWatch | None,
    ) -> None:
        """Show the progress until the source has ended and everything it published is indexed."""
        while True:
            is_produced = self._children[self._source].poll() is not None
            state = progress.refresh()
            self._show(view, state, is_produced, watch)
            self._check(stack)
            # In this order: anomalies are complete once the detector has caught up with the trades.
            if is_produced and state.is_caught_up and (state.trades or not self._published()["trades"]):
                progress.documents()  # what is indexed can be searched after this
                searchable = progress.refresh()
                self._show(view, searchable, is_produced, watch)
                if searchable == state:
                    return
            if stop.wait(REFRESH_S):
                raise _Stopped(stop.signal or 0)

    def _show(
        self, view: PipelineView, state: PipelineState, is_produced: bool, watch: FeedWatch | None
    ) -> None:
        """Show a state with the number of trades, where that is known, and not of the offsets they took."""
        said = ""
        if watch is not None:
            said = "the feed has ended" if is_produced else watch.look()
            state = state.counting(watch.published)
        elif is_produced:
            state = state.counting(self._published()["trades"])
        elif self._expected_trades is not None:
            state = state.counting(min(state.trades, self._expected_trades))
        view.show(state, self._receiver.told, said)

    def _check(self, stack: EmbeddedStack) -> None:
        """Fail if a part of the pipeline has ended unexpectedly."""
        stack.check()
        if self._storage is not None:
            self._storage.check()
        for name, child in self._children.items():
            code = child.poll()
            if code is not None and not (name == self._source and code == 0):
                log_file = self._logs / f"{name}.log"
                lines = log_file.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
                raise TapewatchError(
                    f"The {name} ended with exit code {code}; the end of its log:\n"
                    + "\n".join(lines)
                    + "\n",
                    f"See the complete log in {log_file}.",
                )

    def _published(self) -> dict[str, Any]:
        """Return the last `published` log event of what publishes, its summary."""
        if found := self._events(self._source, "published"):
            return found[-1]
        log_file = self._logs / f"{self._source}.log"
        raise TapewatchError(f"The {self._source} ended without a summary.", f"Check {log_file}.")

    def _events(self, service: str, event: str) -> list[dict[str, Any]]:
        """Return the entries of a service's log with this event."""
        log_file = self._logs / f"{service}.log"
        lines = log_file.read_text().splitlines() if log_file.exists() else []
        entries: list[dict[str, Any]] = [
            json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")
        ]
        return [entry for entry in entries if entry.get("event") == event]

    def _conclude(self, progress: PipelineProgress) -> None:
        """Show the results, and write the summary if the demo ends here."""
        trades_indexed, anomalies_indexed = progress.documents()
        seconds = round(time.monotonic() - self._began_s, 1)
        summary: dict[str, Any] = {
            "trades_produced": self._published()["trades"],
            "trades_indexed": trades_indexed,
            "anomalies_indexed": anomalies_indexed,
            "dead_letters": progress.dead_letters(),
            "alerts_sent": len(self._receiver.told.opened),
            "seconds": seconds,
            "anomalies_by_label": progress.labels()[1],
        }
        if self._config.live is not None:
            summary |= {"feed": self._config.live.venue, "feed_events": progress.feed_events()}
        if self._storage is not None:
            summary["rows_in_postgres"] = dict(self._storage.rows())
        self.is_done = True
        anomalies = [as_striking(document) for document in one_per_event(progress.striking())]
        if anomalies:
            self._console.print(striking_table("The most striking anomalies, one for each event", anomalies))
        self._console.print(alerts_table(self._receiver.told))
        letters = f"{summary['dead_letters']:,} dead letter" + ("" if summary["dead_letters"] == 1 else "s")
        per_1000 = 1000 * anomalies_indexed / max(trades_indexed, 1)
        self._console.print(
            f"[bold]{trades_indexed:,}[/] trades and [bold]{anomalies_indexed:,}[/] "
            f"{'anomaly' if anomalies_indexed == 1 else 'anomalies'} "
            f"({per_1000:.1f} per 1,000 trades) indexed, {letters}, "
            f"{seconds:.1f} s after the start of the demo."
        )
        if rows := summary.get("rows_in_postgres"):
            told = ", ".join(f"{count:,} of {table}" for table, count in rows.items())
            self._console.print(f"[bold]{sum(rows.values()):,}[/] rows in Postgres: {told}.")
        if events := summary.get("feed_events"):
            told = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in events.items())
            self._console.print(f"Events of the feed: {told}.")
        if self._config.once:
            with replaced_when_done(OUT / "demo-summary.json") as unfinished:
                unfinished.write_text(json.dumps(summary, indent=2) + "\n")
            self._console.print(f"Summary: {OUT / 'demo-summary.json'}", style="dim")

    def _say_where_to_look(self, settings: Settings, worst: Severity | None) -> None:
        """Show the addresses; all of them answer by now, and the search finds the worst anomalies."""
        rows = Table.grid(padding=(0, 2))
        rows.add_column(style="bold", no_wrap=True)
        rows.add_column(overflow="fold")
        rows.add_row("Dashboard", f"http://127.0.0.1:{self._config.dashboard_port}")
        query = f"q=severity:{worst}&" if worst else ""
        search = f"{settings.elasticsearch}/anomalies-*/_search?{query}pretty"
        rows.add_row("Elasticsearch", f"curl '{escape(search)}'")
        rows.add_row("Kafka", f"{settings.kafka}, topics trades and anomalies")
        rows.add_row("Real trades", "make demo DATA=FILE[,FILE…] with Databento files".replace("[", "\\["))
        rows.add_row("A live market", "make demo LIVE=coinbase:BTC-USD,ETH-USD")
        rows.add_row("Logs", str(self._logs))
        rows.add_row("Stop", "Ctrl-C")
        self._console.print(Panel(rows, title="Where to look next", title_align="left", expand=False))
        if self._storage is not None:  # outside the panel, so that the line can be copied whole
            self._console.print("\nPostgres has the same as rows. From another terminal:", style="bold")
            self._console.print(f"  {self._storage.psql_line()}", soft_wrap=True, markup=False)

    def _stop_children(self) -> None:
        """Stop all services at the same time, so that they can finish and commit."""
        for child in self._children.values():
            child.terminate()
        deadline_s = time.monotonic() + STOP_TIMEOUT_S
        for child in self._children.values():
            try:
                child.wait(max(deadline_s - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    def _note(self, line: str) -> None:
        self._console.print(escape(line), style="dim", soft_wrap=True)
