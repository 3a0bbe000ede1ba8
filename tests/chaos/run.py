"""Kills every part of the pipeline repeatedly while a day is processed, and compares the result.

    python -m tests.chaos.run --seed 1 --kills 50 [--file DAY.csv.zst] [--sinks elasticsearch,postgres]
    python -m tests.chaos.run --seed 1 --outages 40
    python -m tests.chaos.run --seed 1 --feed coinbase --kills 30
    python -m tests.chaos.run --seed 1 --alerts --kills 50
    python -m tests.chaos.run --seed 1 --brokers 3 --nodes 3 --kills 12

With `--sinks`, the indexers of these sinks run side by side, and they and their stores are struck, too.
With `--outages`, Kafka and Elasticsearch are ended together instead, on busy cores, and every service must
resume by itself each time. With `--feed`, a live feed is killed while its venue misbehaves; with
`--alerts`, everything from the detector to the receivers of alerts. With `--brokers` and `--nodes`, servers
of a cluster are killed in turn while services scale from one instance to two and back. Each seed runs on
servers of its own. What is in them at the end must be what an undisturbed run leaves:
the file's trades, and a backtest's anomalies (`detected_at` aside); or the venue's tape. Logs are in
`out/chaos/<seed>/`. Exit code 1 on any violation.
"""

import argparse
import shutil
import signal
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from infra.embedded.ports import free_port
from infra.embedded.stack import EmbeddedStack, StackConfig
from services.common.elastic.client import Elasticsearch
from services.common.errors import TapewatchError
from services.contracts.components import DEFAULT_SINK
from tests.chaos.alerts import run_alert_chaos, told
from tests.chaos.checkpoints import Recoveries, check_recoveries
from tests.chaos.cluster import LEAST_SERVERS, run_cluster_chaos, summary
from tests.chaos.conductor import Conductor, Strike
from tests.chaos.day import read_day, reference_anomalies, write_night
from tests.chaos.feeds import run_feed_chaos
from tests.chaos.outages import run_outages
from tests.chaos.processes import CHECKPOINT_TRADES, log_entries
from tests.chaos.read_back import busy_partitions, read_checkpoints, verify_indices, verify_topics
from tests.chaos.report import conclusion, faults_table, outages_summary, totals
from tests.chaos.schedule import AT_LEAST, DETECTORS, OF_SINKS, at_least, make_plan
from tests.chaos.stores import set_up_stores
from tests.chaos.tables import verify_tables
from tests.chaos.verify import Fields, Violation, check_logs
from tests.samples import REAL_DATA
from tests.standins.venues import VENUES

OUT = Path("out") / "chaos"
REAL_DAY = REAL_DATA / "xnas-itch-20241202.trades.csv.zst"
GENERATED_TRADES = 100_000
KILLS_PER_PAUSE = 8
_WIDTH_OF_A_FILE = 160


@dataclass(frozen=True)
class Outcome:
    """The results of a run.

    Parameters
    ----------
    strikes
        In their order.
    recoveries
        What checkpoints were for.
    violations
        Empty if all is as it must be.
    trades
        Of the day.
    logs
        Ends of the services' last logs, by name.
    seconds
        From the first service's start to the end of the comparison.
    """

    strikes: list[Strike]
    recoveries: Recoveries
    violations: list[Violation]
    trades: int
    logs: dict[str, str]
    seconds: float


def run_chaos(
    path: Path,
    folder: Path,
    *,
    seed: int,
    kills: int,
    pauses: int,
    say: Callable[[str], None],
    sinks: Sequence[str] = (DEFAULT_SINK,),
) -> Outcome:
    """Run once.

    Parameters
    ----------
    path
        The day's file.
    folder
        Emptied first; gets the logs, and after violations keeps the servers' data.
    seed, kills, pauses, sinks
        See `make_plan`.
    say
        Called with a line of text for each step and fault.

    Raises
    ------
    TapewatchError
        The file is no clean day, or a server does not start.
    """
    plan = make_plan(seed, kills, pauses, sinks)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    day = read_day(path)
    data = folder / "stack"
    config = StackConfig(data_dir=data, kafka_port=free_port(), elasticsearch_port=free_port())
    with ExitStack() as cleanup:
        stack = cleanup.enter_context(EmbeddedStack(config))
        stores = cleanup.enter_context(set_up_stores(stack, sinks, folder))
        anomalies = reference_anomalies(stack, day, folder / "reference.ndjson")
        say(f"seed {seed}: {len(day.trades):,} trades, {len(anomalies):,} anomalies, {len(plan)} faults")
        began_s = time.monotonic()
        conductor = Conductor(stores, plan, day, folder, say)
        cleanup.callback(conductor.close)
        conductor.run()
        violations = list(conductor.violations)
        say("  comparing topics and stores")
        violations += verify_topics(stack, day, anomalies)
        if "elasticsearch" in sinks:
            with Elasticsearch(stack.elasticsearch_url, request_timeout=60) as client:
                violations += verify_indices(client, day, anomalies)
        if stores.postgres is not None:
            violations += verify_tables(stores.database, day, anomalies)
        logs = {log.name: list(log_entries(log)) for log in sorted(folder.glob("*.log"))}
        violations += check_logs(logs, day.late_trades)
        recoveries = _recoveries(stack, logs, conductor.last_logs())
        violations += recoveries.violations
        seconds = time.monotonic() - began_s
    if not violations:
        shutil.rmtree(data)
    return Outcome(conductor.strikes, recoveries, violations, len(day.trades), conductor.last_logs(), seconds)


def _recoveries(
    stack: EmbeddedStack, logs: Mapping[str, Sequence[Fields]], last_logs: Collection[str]
) -> Recoveries:
    """Evaluate the detectors' logs; their first starts and the final ones, to catch up, are not restarts."""
    of_detectors = {name: entries for name, entries in logs.items() if name.startswith(DETECTORS)}
    restarts = {name for name in of_detectors if not name.endswith("-01.log") and name not in last_logs}
    return check_recoveries(
        read_checkpoints(stack), of_detectors, restarts, busy_partitions(stack), CHECKPOINT_TRADES
    )


def main() -> int:
    """Run the seeds one after the other; see `--help`."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, action="append", help="may be given several times; 1, 2 and 3")
    parser.add_argument("--kills", type=int, default=50, help=f"{len(AT_LEAST)} at least; 50")
    parser.add_argument(
        "--sinks",
        type=lambda text: tuple(text.split(",")),
        default=(DEFAULT_SINK,),
        help=f"those that run, of {','.join(OF_SINKS)}; {DEFAULT_SINK}",
    )
    parser.add_argument("--pauses", type=int, help=f"in addition; one for {KILLS_PER_PAUSE} kills")
    parser.add_argument("--outages", type=int, help="end both servers so many times instead; one seed, 1")
    parser.add_argument(
        "--feed", choices=[venue.feed for venue in VENUES], help="kill a feed of this venue instead"
    )
    parser.add_argument("--alerts", action="store_true", help="kill what decides, sends and receives alerts")
    for option, what in (("--brokers", "brokers"), ("--nodes", "nodes of Elasticsearch")):
        parser.add_argument(
            option, type=int, default=1, help=f"kill {what} of a cluster; {LEAST_SERVERS} at least"
        )
    parser.add_argument("--file", type=Path, help="a day of trades; a real one if it is here, else generated")
    chosen = parser.parse_args()
    if chosen.outages is not None and chosen.outages < 1:
        parser.error("--outages must be 1 at least")
    if unknown := set(chosen.sinks) - OF_SINKS.keys():
        parser.error(f"--sinks: unknown: {', '.join(sorted(unknown))}")
    is_cluster = (chosen.brokers, chosen.nodes) != (1, 1)
    if is_cluster and min(chosen.brokers, chosen.nodes) < LEAST_SERVERS:
        parser.error(f"--brokers and --nodes go together, and must be {LEAST_SERVERS} at least")
    least = len(at_least(chosen.sinks))
    if chosen.kills < least and chosen.feed is None and not chosen.alerts and not is_cluster:
        parser.error(f"--kills must be {least} at least")
    pauses = chosen.kills // KILLS_PER_PAUSE if chosen.pauses is None else chosen.pauses
    # A SIGTERM ends everything in order, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for_people = sys.stdout.isatty()
    console = Console(highlight=False, width=None if for_people else _WIDTH_OF_A_FILE)

    def say(line: str) -> None:
        console.print(line, markup=False, soft_wrap=True)

    failed = False
    try:
        if chosen.feed is not None:
            return _run_feeds(chosen.feed, chosen.seed or [1], chosen.kills, say)
        if chosen.alerts:
            paths = [chosen.file] if chosen.file else _usual_days()
            return _run_alerts(paths, chosen.seed or [1], chosen.kills, say)
        path = chosen.file or _usual_day()
        if is_cluster:
            return _run_clusters(path, chosen.seed or [1], chosen.kills, chosen.brokers, chosen.nodes, say)
        if chosen.outages is not None:
            seed = (chosen.seed or [1])[0]
            ends = run_outages(path, OUT / f"outages-{seed}", seed=seed, outages=chosen.outages, say=say)
            console.print(outages_summary(ends.healed_s))
            console.print(conclusion(ends.violations, {}, ends.seconds), soft_wrap=True)
            return int(bool(ends.violations))
        for seed in chosen.seed or (1, 2, 3):
            outcome = run_chaos(
                path,
                OUT / str(seed),
                seed=seed,
                kills=chosen.kills,
                pauses=pauses,
                say=say,
                sinks=chosen.sinks,
            )
            console.print(faults_table(outcome.strikes, outcome.trades))
            console.print(totals(outcome.strikes, outcome.recoveries, outcome.violations))
            console.print(conclusion(outcome.violations, outcome.logs, outcome.seconds), soft_wrap=True)
            failed = failed or bool(outcome.violations)
    except TapewatchError as error:
        say(f"Error: {error.cause}\nFix:   {error.hint}")
        return 1
    except KeyboardInterrupt:
        say("Stopped.")
        return 130
    return int(failed)


def _run_feeds(feed: str, seeds: Sequence[int], kills: int, say: Callable[[str], None]) -> int:
    """Run a feed with each seed; returns the exit code."""
    venue = next(venue for venue in VENUES if venue.feed == feed)
    failed = False
    for seed in seeds:
        folder = OUT / f"feed-{venue.module}-{seed}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        outcome = run_feed_chaos(venue, folder, seed=seed, kills=kills, say=say)
        for violation in outcome.violations:
            say(f"  {violation}")
        say(
            f"{outcome.published:,} prints published, {outcome.lost:,} in recorded gaps,"
            f" {outcome.kills} kills, {len(outcome.struck)} faults of the venue,"
            f" {len(outcome.violations)} kinds of violation, {outcome.seconds:.0f} s"
        )
        failed = failed or bool(outcome.violations)
    return int(failed)


def _run_alerts(paths: Sequence[Path], seeds: Sequence[int], kills: int, say: Callable[[str], None]) -> int:
    """Run alerts with each seed; returns the exit code."""
    days = [read_day(path) for path in paths]
    failed = False
    for seed in seeds:
        folder = OUT / f"alerts-{seed}"
        shutil.rmtree(folder, ignore_errors=True)
        outcome = run_alert_chaos(days, folder, seed=seed, kills=kills, say=say)
        for violation in outcome.violations:
            say(f"  {violation}")
        say(
            f"{told(outcome.told)}; {sum(outcome.kills.values())} kills,"
            f" {sum(outcome.repeats.values())} repeats, {len(outcome.violations)} kinds of violation,"
            f" {outcome.seconds:.0f} s"
        )
        failed = failed or bool(outcome.violations)
    return int(failed)


def _run_clusters(
    path: Path, seeds: Sequence[int], kills: int, brokers: int, nodes: int, say: Callable[[str], None]
) -> int:
    """Run a cluster with each seed; returns the exit code."""
    failed = False
    for seed in seeds:
        folder = OUT / f"cluster-{seed}"
        outcome = run_cluster_chaos(
            path, folder, seed=seed, kills=kills, brokers=brokers, nodes=nodes, say=say
        )
        for violation in outcome.violations:
            say(f"  {violation}")
        say(summary(outcome))
        failed = failed or bool(outcome.violations)
    return int(failed)


def _usual_days() -> list[Path]:
    """Return two real days if they are available, otherwise a generated one."""
    days = sorted(REAL_DATA.glob("*.csv.zst"))[:2] if REAL_DATA.exists() else []
    return days if len(days) == 2 else [_usual_day()]


def _usual_day() -> Path:
    """Return the real day if it is available, otherwise a generated one."""
    if REAL_DAY.exists():
        return REAL_DAY
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / "night.csv"
    write_night(path, GENERATED_TRADES)
    return path


if __name__ == "__main__":
    sys.exit(main())
