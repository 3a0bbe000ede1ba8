"""Runs everything for a while on days that pass faster, with a fault a minute, and watches what grows.

    python -m tests.soak.run [--minutes 20] [--seed 1]

Days are generated, one after the other, four minutes each, and published at their own pace, faster.
Producer, two detectors, indexer and alerter run on a Kafka and an Elasticsearch; a fault a minute strikes one
of them. Memory, open files and threads of every process, the topics on disk, the groups' lag and the indexed
documents are taken every five seconds.

At the end nothing may have grown in the last eight minutes beyond the eight before (see
`benchmarks/growth.py`), but for documents and the topics that keep what comes for days. No service may have
ended by itself, and the indices must hold every trade of the days once, and the anomalies of a backtest. The
page with the charts, and the logs, are in `out/soak/`. Exit code 1 if something is wrong.
"""

import argparse
import datetime as dt
import shutil
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import polars as pl
from confluent_kafka.admin import (
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)
from elasticsearch import Elasticsearch, helpers
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.growth import Growth, growing, growth_of
from infra.embedded.ports import free_port
from infra.embedded.server import Server
from infra.embedded.stack import EmbeddedStack, StackConfig
from services.common.errors import TapewatchError
from services.common.kafka.clients import new_admin
from services.contracts.components import ALERTER, DETECTOR, INDEXER
from services.contracts.indices import ANOMALIES_INDEX_PREFIX, TRADES_INDEX_PREFIX
from services.contracts.topics import ANOMALIES_TOPIC, TOPICS, TRADES_TOPIC
from services.sources.synthetic.day import DayConfig, write_day
from tests.chaos.processes import Service, log_tail
from tests.integration.pipeline import letters, tapewatch
from tests.soak.faults import Faults
from tests.soak.figures import INDEXED, LIMITS, ON_DISK, Sampler
from tests.soak.page import page

OUT = Path("out") / "soak"
FIRST_DAY = dt.date(2026, 3, 2)
DAY_S = 240.0
"""How long a day takes to pass."""

TRADES_A_SECOND = 1_000
FAULT_EVERY_S = 60.0
SAMPLE_EVERY_S = 5.0
TICK_S = 0.2
SETTLED_WITHIN_S = 240.0
SETTLED_FOR_S = 5.0
MARKERS = 60
"""Ends of transactions take an offset each; a group that is behind by a few of these has read all."""

SEGMENT_BYTES = 4 << 20
"""Of compacted topics: a segment that is written to is not compacted, and the usual ones fill too slowly."""

KAFKA_SETTINGS = {
    "log.retention.check.interval.ms": "5000",
    "log.cleaner.backoff.ms": "5000",
    "offsets.topic.segment.bytes": str(SEGMENT_BYTES),
    "transaction.state.log.segment.bytes": str(SEGMENT_BYTES),
}
COMPACTED = [topic for topic, settings in TOPICS.items() if settings["cleanup.policy"] == "compact"]
KEPT_FOR_DAYS = TOPICS.keys() - set(COMPACTED)
GROUPS = {DETECTOR.group: TRADES_TOPIC, INDEXER.group: TRADES_TOPIC, ALERTER.group: ANOMALIES_TOPIC}
COMMANDS = {
    "detector-a": ("detect",),
    "detector-b": ("detect",),
    "indexer": ("index",),
    "alerter": ("alert",),
}
_WIDTH_OF_A_FILE = 120


@dataclass
class Outcome:
    """The results of a run."""

    wrong: list[str]
    growths: dict[str, Growth]
    faults: int
    trades: int
    anomalies: int
    page: Path
    seconds: float


@dataclass
class Soak:
    """A running pipeline.

    Parameters
    ----------
    stack
        Running and set up.
    days
        Files of trades.
    speed
        At which they are published.
    folder
        Gets the logs.
    say
        Called with a line of text.
    """

    stack: EmbeddedStack
    days: list[Path]
    speed: float
    folder: Path
    say: Callable[[str], None]
    wrong: list[str] = field(default_factory=list)
    faults: list[tuple[float, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        names = ("producer", *COMMANDS)
        settings = {"TAPEWATCH_CHECKPOINT_TRADES": "100000"}  # as in production
        self.services = {name: Service(name, self.folder, self.stack, settings) for name in names}
        self.servers: Mapping[str, Server] = {
            "kafka": self.stack.kafka,
            "elasticsearch": self.stack.elasticsearch,
        }
        self._faults = Faults(self.services, self.servers, self._start)
        self.sampler = Sampler(
            self.stack.kafka_connection,
            self.stack.elasticsearch_url,
            self.stack.data_dir / "kafka" / "data",
            GROUPS,
            self.pids,
        )

    def pids(self) -> dict[str, int]:
        """Return the processes that run."""
        running = {name: service.pid for name, service in self.services.items() if service.is_running}
        running |= {
            name: server.pid for name, server in self.servers.items() if not self._faults.is_down(name)
        }
        return {name: pid for name, pid in running.items() if pid}

    def run(self, whole_s: float) -> None:
        """Run for so long, and until all that was published is indexed."""
        for name in self.services:
            self._start(name)
        next_fault_s, next_sample_s = FAULT_EVERY_S, 0.0
        # The last minute is for coming back from the last fault.
        while (now_s := self.sampler.now_s) < whole_s:
            time.sleep(TICK_S)
            self._faults.undo()
            self._restart_ended()
            if now_s >= next_fault_s and now_s < whole_s - FAULT_EVERY_S / 2:
                next_fault_s += FAULT_EVERY_S
                done = str(self._faults.strike())
                self.faults.append((now_s, done))
                self.say(f"  {now_s:6.0f} s  {done}")
            if now_s >= next_sample_s:
                next_sample_s = now_s + SAMPLE_EVERY_S
                self.sampler.take()
        self._faults.undo(at_once=True)
        self._settle()

    def close(self) -> None:
        """End whatever still runs."""
        for service in self.services.values():
            service.kill()
        self.sampler.close()

    def _start(self, name: str) -> None:
        files = [str(day) for day in self.days]
        produce = ("produce", *files, "--speed", f"{self.speed:.3f}")
        self.services[name].start(*(produce if name == "producer" else COMMANDS[name]))

    def _restart_ended(self) -> None:
        for name, service in self.services.items():
            if service.code is None or self._faults.is_down(name) or (name, service.code) == ("producer", 0):
                continue
            self.wrong.append(f"{name} ended by itself with {service.code}:\n{log_tail(service.log_file)}")
            self._start(name)

    def _settle(self) -> None:
        """Wait until the days are published, judged and indexed."""
        settled_at_s = time.monotonic()
        deadline_s = settled_at_s + SETTLED_WITHIN_S
        while time.monotonic() < deadline_s:
            time.sleep(TICK_S * 5)
            self._restart_ended()
            is_published = self.services["producer"].code == 0
            lags = [self.sampler.lag(group) for group in GROUPS]
            if not is_published or any(lag is None or lag > MARKERS for lag in lags):
                settled_at_s = time.monotonic()
            elif time.monotonic() - settled_at_s > SETTLED_FOR_S:
                return
        published = "all published" if is_published else "not all published"
        self.wrong.append(f"not settled after {SETTLED_WITHIN_S:.0f} s: {published}, lags {lags}")


def run_soak(folder: Path, minutes: float, seed: int, say: Callable[[str], None]) -> Outcome:
    """Run once.

    Parameters
    ----------
    folder
        Emptied first; gets days, logs and the page.
    minutes
        Length of the run.
    seed
        Of the days.
    say
        Called with a line of text for each step and fault.

    Raises
    ------
    TapewatchError
        A server does not start.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    whole_s = 60 * minutes
    # Published before the end, so that the run ends with what is usual.
    days = _write_days(folder, seed, max(round((whole_s - 30) / DAY_S), 1), min(whole_s - 30, DAY_S))
    event_s = _event_s(days[0])
    say(f"{len(days)} days of {event_s / 3600:.1f} hours; a backtest tells what they have")
    began_s = time.monotonic()
    data = folder / "stack"
    config = StackConfig(
        data_dir=data,
        kafka_port=free_port(),
        elasticsearch_port=free_port(),
        kafka_settings=KAFKA_SETTINGS,
    )
    with ExitStack() as cleanup:
        stack = cleanup.enter_context(EmbeddedStack(config))
        tapewatch(stack, "setup")
        _shorten_segments(stack)
        tapewatch(stack, "backtest", *map(str, days), "--output", str(folder / "reference.ndjson"))
        soak = Soak(stack, days, event_s / min(whole_s - 30, DAY_S), folder, say)
        cleanup.callback(soak.close)
        soak.run(whole_s)
        trades, anomalies = _compare(stack, folder / "reference.ndjson", days, soak.wrong)
        if rejected := letters(stack):
            soak.wrong.append(f"{len(rejected)} dead letters")
    shutil.rmtree(data)
    growths = {
        f"{kind}: {name}": growth
        for kind, limit in LIMITS.items()
        for name, points in soak.sampler.figures.taken[kind].items()
        if not (kind == ON_DISK and name in KEPT_FOR_DAYS)
        if (growth := growth_of(points, whole_s, limit)) is not None
    }
    wrong = soak.wrong + growing(growths)
    path = folder / "soak.html"
    title = f"{minutes:g} minutes, {trades:,} trades of {len(days)} days, {len(soak.faults)} faults"
    kinds = [*LIMITS, INDEXED]
    charts = {_title(kind): soak.sampler.figures.taken[kind] for kind in kinds}
    path.write_text(page(title, charts, soak.faults, [HEADS, *_rows(growths)]))
    seconds = time.monotonic() - began_s
    return Outcome(wrong, growths, len(soak.faults), trades, anomalies, path, seconds)


HEADS = ("what", "before", "last two fifths", "unit", "")


def _title(kind: str) -> str:
    unit = LIMITS[kind].unit if kind in LIMITS else ""
    return f"{kind} ({unit})" if unit == "MB" else kind


def _rows(growths: Mapping[str, Growth]) -> list[tuple[str, ...]]:
    return [
        (
            name,
            f"{one.before:,.0f}",
            f"{one.after:,.0f}",
            one.limit.unit,
            "grew" if one.is_growing else "",
        )
        for name, one in growths.items()
    ]


def _write_days(folder: Path, seed: int, count: int, seconds: float) -> list[Path]:
    days = []
    for number in range(count):
        date = FIRST_DAY + dt.timedelta(days=number)
        config = DayConfig(date=date, seed=seed, trades=int(TRADES_A_SECOND * seconds), symbols=20)
        path = folder / f"{date}.csv.zst"
        write_day(config, path, folder / f"{date}.labels.csv", integers=True)
        days.append(path)
    return days


def _shorten_segments(stack: EmbeddedStack) -> None:
    """Let compacted topics be compacted soon."""
    admin = new_admin(stack.kafka_connection)
    small = ConfigEntry("segment.bytes", str(SEGMENT_BYTES), incremental_operation=AlterConfigOpType.SET)
    resources = [
        ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[small]) for topic in COMPACTED
    ]
    for done in admin.incremental_alter_configs(resources).values():
        done.result()


def _compare(stack: EmbeddedStack, reference: Path, days: list[Path], wrong: list[str]) -> tuple[int, int]:
    """Compare the indices with the days and a backtest; returns the numbers of trades and anomalies."""
    with Elasticsearch(stack.elasticsearch_url, request_timeout=60) as client:
        client.indices.refresh(index="_all")
        trades = sum(_count(day) for day in days)
        indexed = int(client.count(index=f"{TRADES_INDEX_PREFIX}*")["count"])
        if indexed != trades:
            wrong.append(f"{indexed:,} trades are indexed, the days have {trades:,}")
        expected = {line["trade_id"]: line for line in map(orjson.loads, reference.read_bytes().splitlines())}
        found = {
            hit["_id"]: hit["_source"]
            for hit in helpers.scan(client, index=f"{ANOMALIES_INDEX_PREFIX}*", size=5_000)
        }
    for entry in (*expected.values(), *found.values()):
        entry.pop("detected_at", None)
    if lost := expected.keys() - found.keys():
        wrong.append(f"{len(lost)} anomalies are missing, such as {min(lost)}")
    if more := found.keys() - expected.keys():
        wrong.append(f"{len(more)} anomalies are indexed that a backtest has not, such as {min(more)}")
    if different := [key for key in expected.keys() & found.keys() if expected[key] != found[key]]:
        wrong.append(f"{len(different)} anomalies differ from a backtest's, such as {min(different)}")
    return trades, len(expected)


def _event_s(day: Path) -> float:
    """Return the seconds between a day's first and last trade."""
    times_ns = pl.read_csv(day, columns=["ts_event"])["ts_event"]
    return float(times_ns[-1] - times_ns[0]) / 1e9


def _count(day: Path) -> int:
    return pl.read_csv(day, columns=["ts_event"]).height


def main() -> int:
    """Run; see `--help`."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=20.0, help="length of the run, 2 at least; 20")
    parser.add_argument("--seed", type=int, default=1, help="of the generated days; 1")
    chosen = parser.parse_args()
    if chosen.minutes < 2:
        parser.error("--minutes must be 2 at least")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH_OF_A_FILE)

    def say(line: str) -> None:
        console.print(line, markup=False, soft_wrap=True)

    try:
        outcome = run_soak(OUT, chosen.minutes, chosen.seed, say)
    except TapewatchError as error:
        say(f"Error: {error.cause}\nFix:   {error.hint}")
        return 1
    except KeyboardInterrupt:
        say("Stopped.")
        return 130
    table = Table(*HEADS, box=box.SIMPLE)
    for row in _rows(outcome.growths):
        table.add_row(*row)
    console.print(table)
    say(
        f"{outcome.trades:,} trades, {outcome.anomalies:,} anomalies, {outcome.faults} faults, "
        f"{outcome.seconds:.0f} s; charts: {outcome.page}"
    )
    for line in outcome.wrong:
        console.print(line, style="bold red", markup=False)
    if not outcome.wrong:
        console.print("Nothing has grown, nothing is lost or doubled.", style="bold green")
    return int(bool(outcome.wrong))


if __name__ == "__main__":
    sys.exit(main())
