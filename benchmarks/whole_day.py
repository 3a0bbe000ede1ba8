"""A day of trades from its file until all of it can be searched, on a stack that is running and warm.

`tapewatch detect` and `tapewatch index` run as in production. `tapewatch produce` publishes the day; the
clock runs from that command's start until a count, asked every 50 ms, finds every trade: so Elasticsearch's
refresh of a second is in it. Then the detector's last commit is waited for. The processor time is that of the
three processes, that of `produce` with its start, and of Kafka and Elasticsearch, from the command's start to
that commit. Other days go the same way before, unmeasured; the figures are medians of the measured ones.

Real days are used where the folder `TAPEWATCH_REAL_DATA` has enough of them, otherwise generated ones.
"""

import datetime as dt
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.feed import running_service
from benchmarks.rows import Row
from benchmarks.surroundings import (
    REAL_DAYS,
    ended_children_s,
    environment,
    generated_day,
    note,
    processor_s,
    run_command,
)
from benchmarks.topics import Commits, ends_of_records
from infra.embedded.ports import free_port
from infra.embedded.stack import EmbeddedStack, StackConfig
from services.common.elastic.client import Elasticsearch, new_client
from services.common.errors import TapewatchError
from services.contracts.components import DETECTOR
from services.contracts.topics import TRADES_TOPIC
from services.sources.files import open_source
from services.sources.synthetic.day import DayConfig

WARM_UPS, MEASURED = 2, 3
GENERATED = [
    DayConfig(date=dt.date(2026, 3, 2 + number), trades=260_000, symbols=5)
    for number in range(WARM_UPS + MEASURED)
]
POLL_S = 0.05
TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Passage:
    """One day's way through the stack.

    Parameters
    ----------
    trades
        How many it has.
    seconds
        From the command's start to the last trade found.
    ours_s, servers_s
        Processor time of our processes and of the servers, in seconds.
    """

    trades: int
    seconds: float
    ours_s: float
    servers_s: float


def measure() -> list[Row]:
    """Measure the days."""
    kind, days = _days()
    config = StackConfig(kafka_port=free_port(), elasticsearch_port=free_port())
    with EmbeddedStack(config, report=note) as stack, tempfile.TemporaryDirectory() as scratch:
        variables = environment(stack.kafka_bootstrap) | {"TAPEWATCH_ELASTICSEARCH": stack.elasticsearch_url}
        run_command(variables, TIMEOUT_S, "setup")
        folder = Path(scratch)
        with (
            running_service(("detect",), variables, folder / "detector.log") as detector,
            running_service(("index",), variables, folder / "indexer.log") as indexer,
        ):
            ours = (detector.pid, indexer.pid)
            servers = [pid for pid in (stack.kafka.pid, stack.elasticsearch.pid) if pid is not None]
            line = Line(stack, variables, ours, servers)
            passages = [line.passage(day) for day in days]
    measured = passages[WARM_UPS:]
    trades = statistics.median(one.trades for one in measured)
    name = f"whole: {kind} days of {trades:,.0f} trades"
    return [
        Row(
            f"{name}, from the file until all can be searched",
            statistics.median(one.seconds for one in measured),
            "s",
            target="7 at most",
        ),
        Row(
            f"{name}, processor of producer, detector and indexer",
            statistics.median(one.ours_s for one in measured),
            "s of processor",
            target="3.5 at most",
        ),
        Row(
            f"{name}, processor of Kafka and Elasticsearch",
            statistics.median(one.servers_s for one in measured),
            "s of processor",
        ),
    ]


def _days() -> tuple[str, list[Path]]:
    """Return the kind of the days, and their files, the largest ones last, as those are measured."""
    real = sorted(REAL_DAYS.glob("*.csv.zst"), key=lambda path: path.stat().st_size)
    if len(real) >= len(GENERATED):
        return "real", real[-len(GENERATED) :]
    return "generated", [generated_day(config) for config in GENERATED]


class Line:
    """The stack with the services at work.

    Parameters
    ----------
    stack
        Kafka and Elasticsearch.
    variables
        The environment of the commands.
    ours, servers
        The processes whose time is counted, beside that of `produce`.
    """

    def __init__(
        self, stack: EmbeddedStack, variables: dict[str, str], ours: Sequence[int], servers: Sequence[int]
    ) -> None:
        self._bootstrap = stack.kafka_bootstrap
        self._client: Elasticsearch = new_client(stack.elasticsearch_url)
        self._variables = variables
        self._ours = ours
        self._servers = servers
        self._trades = 0

    def passage(self, day: Path) -> Passage:
        """Publish a day, and wait until all of it can be searched and is judged."""
        trades = sum(len(chunk.trades) for chunk in open_source(day).chunks())
        self._trades += trades
        before = self._processor_s()
        began_s = time.monotonic()
        run_command(self._variables, TIMEOUT_S, "produce", str(day))
        _wait(lambda: self._found() == self._trades, f"{day.name} cannot be searched")
        seconds = time.monotonic() - began_s
        ends = ends_of_records(self._bootstrap, TRADES_TOPIC)
        with Commits(self._bootstrap, TRADES_TOPIC, DETECTOR.group, ends) as commits:
            _wait(lambda: commits.ask().offsets == commits.total, f"{day.name} is not judged")
        ours_s, servers_s = (after - was for after, was in zip(self._processor_s(), before, strict=True))
        note(
            f"whole: {day.name}, {trades:,} trades: {seconds:.2f} s,"
            f" processor {ours_s:.2f} s ours, {servers_s:.2f} s the servers'"
        )
        return Passage(trades, seconds, ours_s, servers_s)

    def _found(self) -> int:
        return int(self._client.count(index="trades-*", ignore_unavailable=True)["count"])

    def _processor_s(self) -> tuple[float, float]:
        """Return the processor time of ours, commands that have ended included, and of the servers."""
        ours_s = ended_children_s() + sum(processor_s(pid) for pid in self._ours)
        return ours_s, sum(processor_s(pid) for pid in self._servers)


def _wait(is_so: Callable[[], bool], otherwise: str) -> None:
    deadline_s = time.monotonic() + TIMEOUT_S
    while not is_so():
        if time.monotonic() >= deadline_s:
            raise TapewatchError(f"After {TIMEOUT_S:.0f} s, {otherwise}.", "The machine is too busy for it.")
        time.sleep(POLL_S)
