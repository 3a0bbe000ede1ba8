"""A market that opens: some seconds at twenty times the mean rate; lag, recovery, and what alerts take.

`benchmarks/scale/rush_sender.py` sends trades at the mean rate, at twenty times that, and at the mean rate
again; `tapewatch detect`, `index` (Elasticsearch) and `alert` run as in production, with transactions. Lag is
asked for several times a second; it is usual again when it is no more than the largest one before the open.
Of an alert the time is taken as `benchmarks/alerts.py` does, from the broker's stamp of its first trade to
the webhook, and it belongs to the stretch in which that trade came. All that runs, the sender and the webhook
too, shares the machine's cores.
"""

import itertools
import json
import math
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.alerts import RULES, SECRET, alert_times, running_receiver
from benchmarks.feed import PROFILE, running_service
from benchmarks.rows import Table
from benchmarks.scale.lags import Recovery, recovery_of
from benchmarks.scale.sizes import OPEN_TIMES, Size
from benchmarks.scale.stream import MARKERS
from benchmarks.surroundings import PROJECT, environment, note, run_command
from benchmarks.topics import Lag
from infra.embedded.ports import free_port
from infra.embedded.stack import EmbeddedStack, StackConfig
from services.common.errors import TapewatchError
from services.contracts.components import ALERTER, DETECTOR, INDEXER
from services.contracts.topics import ANOMALIES_TOPIC, TRADES_TOPIC

WARM_UP_S = 10.0
EVERY_S = 0.2
CAUGHT_UP_WITHIN_S = 120.0
"""How long after the last trade the groups are waited for."""

AFTER_S = 3.0
"""For the last alerts to arrive."""

TIMEOUT_S = 300.0
BEFORE, OPEN, CATCHING_UP, AFTER = "before the open", "at the open", "until it has caught up", "after that"
GROUPS = {
    "detector": (DETECTOR.group, TRADES_TOPIC),
    "indexer": (INDEXER.group, TRADES_TOPIC),
    "alerter": (ALERTER.group, ANOMALIES_TOPIC),
}


def measure(size: Size, folder: Path) -> list[Table]:
    """Let a market open.

    Raises
    ------
    TapewatchError
        A process failed, or no alert came.
    """
    config = StackConfig(data_dir=folder / "stack", kafka_port=free_port(), elasticsearch_port=free_port())
    arrivals = folder / "arrivals"
    arrivals.touch()
    phases = (
        (size.mean_rate, WARM_UP_S),
        (size.mean_rate, size.before_s),
        (OPEN_TIMES * size.mean_rate, size.open_s),
        (size.mean_rate, size.after_s),
    )
    with EmbeddedStack(config, report=note) as stack, ExitStack() as running:
        env = environment(stack.kafka_bootstrap) | {
            "TAPEWATCH_ELASTICSEARCH": stack.elasticsearch_url,
            "TAPEWATCH_METRICS_PORT": "0",
        }
        run_command(env, TIMEOUT_S, "setup")
        profile, secret, rules = folder / "apart.yaml", folder / "secret", folder / "rules.yaml"
        port = running.enter_context(running_receiver(arrivals))
        profile.write_text(PROFILE)
        secret.write_text(SECRET)
        rules.write_text(RULES.format(port=port, secret=secret))
        for name, arguments in (
            ("alerter", ("alert", "--rules", str(rules))),
            ("detector", ("detect", "--profile", str(profile))),
            ("indexer", ("index",)),
        ):
            running.enter_context(running_service(arguments, env, folder / f"{name}.log"))
        asked = {name: Lag(stack.kafka_connection, *where) for name, where in GROUPS.items()}
        for lag in asked.values():
            running.callback(lag.close)
        note(f"scale: {size.mean_rate:,} trades a second, and {OPEN_TIMES} times as many at the open")
        marks, lags = _sent(phases, env, asked)
        time.sleep(AFTER_S)
        times = alert_times(arrivals, stack.kafka_bootstrap)
    (began_s, _), (begins_s, begins), (ends_s, ends), _ = marks[1:]
    sent = {"detector": ends - begins, "indexer": ends - begins, "alerter": 0}
    recoveries = {
        name: recovery_of([one for one in points if one[0] >= began_s], begins_s, ends_s, sent[name])
        for name, points in lags.items()
    }
    if not times:
        raise TapewatchError("No alert came.", f"The machine is too busy for {size.mean_rate:,} a second.")
    rates = [(after[1] - one[1]) / (after[0] - one[0]) for one, after in itertools.pairwise(marks)]
    opening_s = ends_s - begins_s
    title = (
        f"A market that opens: {opening_s:.0f} s at {rates[2]:,.0f} trades a second, after {rates[1]:,.0f}"
    )
    caught_up_s = max((one.after_s or size.after_s for one in recoveries.values()), default=0.0)
    edges = (began_s, begins_s, ends_s, ends_s + caught_up_s)
    return [groups_table(title, recoveries, opening_s), alerts_table(delays_by_stretch(times, edges))]


def groups_table(title: str, recoveries: Mapping[str, Recovery], opening_s: float) -> Table:
    """Return how each group came through, a row each."""
    return Table(
        title,
        ("group", "largest lag before", "at the peak", "usual again after, s", "taken at the open, trades/s"),
        tuple(
            (
                name,
                f"{one.usual:,.0f}",
                f"{one.peak:,.0f}",
                "not in time" if one.after_s is None else f"{one.after_s:.1f}",
                f"{one.taken / opening_s:,.0f}" if GROUPS[name][1] == TRADES_TOPIC else "",
            )
            for name, one in recoveries.items()
        ),
        frozenset({"group"}),
    )


def delays_by_stretch(
    times: Sequence[tuple[float, float]], edges: tuple[float, float, float, float]
) -> dict[str, list[float]]:
    """Return by how much alerts were later than their first trades, in seconds, by when these came.

    Parameters
    ----------
    times
        When a trade came and when its alert had arrived.
    edges
        Where each stretch begins; what came before the first does not count.
    """
    found: dict[str, list[float]] = defaultdict(list)
    for came_s, arrived_s in times:
        names = [
            name
            for name, edge_s in zip((BEFORE, OPEN, CATCHING_UP, AFTER), edges, strict=True)
            if came_s >= edge_s
        ]
        if names:
            found[names[-1]].append(arrived_s - came_s)
    return dict(found)


def alerts_table(delays: Mapping[str, Sequence[float]]) -> Table:
    """Return what alerts took in each stretch, a row each."""
    return Table(
        "A trade in Kafka to its alert at a webhook",
        ("trades that came", "alerts", "p50, ms", "p99, ms", "longest, ms"),
        tuple(
            (
                name,
                f"{len(seconds):,}",
                *(
                    f"{1000 * one:,.0f}"
                    for one in (
                        statistics.median(seconds),
                        statistics.quantiles(seconds, n=100, method="inclusive")[98]
                        if len(seconds) > 1
                        else seconds[0],
                        max(seconds),
                    )
                ),
            )
            for name in (BEFORE, OPEN, CATCHING_UP, AFTER)
            if (seconds := delays.get(name))
        ),
        frozenset({"trades that came"}),
    )


def _sent(
    phases: Sequence[tuple[float, float]], env: dict[str, str], asked: Mapping[str, Lag]
) -> tuple[list[tuple[float, int]], dict[str, list[tuple[float, float]]]]:
    """Send the trades; returns the sender's marks, and each group's lag until all is worked off."""
    arguments = [f"{number:g}" for phase in phases for number in phase]
    sender = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.scale.rush_sender", *arguments],
        env=env,
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
    )
    lags: dict[str, list[tuple[float, float]]] = {name: [] for name in asked}
    behind = math.inf
    ended_s: float | None = None
    try:
        while ended_s is None or (behind > MARKERS and time.monotonic() < ended_s + CAUGHT_UP_WITHIN_S):
            for name, lag in asked.items():
                if (count := lag.ask()) is not None:
                    lags[name].append((time.time(), count))
            behind = max((points[-1][1] for points in lags.values() if points), default=math.inf)
            if ended_s is None and sender.poll() is not None:
                ended_s = time.monotonic()
            time.sleep(EVERY_S)
        said, _ = sender.communicate()
    finally:
        sender.kill()
        sender.wait()
    if sender.returncode != 0:
        raise TapewatchError(f"The sender exited with {sender.returncode}.", "See what it said above.")
    return [(float(at_s), int(count)) for at_s, count in json.loads(said)], lags
