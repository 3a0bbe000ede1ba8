"""Alerts: the time from a trade's arrival in Kafka to the arrival of its alert at a webhook.

A venue that runs here sends prints, of which every thousandth is ten per cent off; `tapewatch feed`,
`detect` and `alert` run as in production, with transactions. The time begins with the time stamp that the
broker gave the trade when it appended it to `trades`, and ends when the receiver, a process of its own, has
read the message of the alert that the trade opened. All of them share the machine's cores.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks.feed import (
    COSTS,
    PROFILE,
    SECONDS,
    WARM_UP_S,
    Load,
    running_feed,
    running_service,
    running_venue,
)
from benchmarks.rows import Row
from benchmarks.surroundings import PROJECT, environment, note, running_kafka
from benchmarks.topics import appended_s
from services.common.errors import TapewatchError

LOADS = tuple(
    replace(load, symbols=",".join(f"{prefix}{number:02}-USD" for number in range(count)))
    for load, prefix, count in ((COSTS[0], "AL", 7), (COSTS[1], "BL", 23))
)
"""The symbols have wrong prices in turn, as their number does not divide a thousand."""

AFTER_S = 3.0
"""For the last alerts to arrive."""
FEWEST = 20
SECRET = "whsec_YmVuY2htYXJrLWJlbmNobWFyay1iZW5jaG1hcms="  # noqa: S105 - of a benchmark
RULES = """\
channels:
  hook: {{kind: webhook, url: "http://127.0.0.1:{port}/", secret_files: ["{secret}"], allow_private: true}}
rules:
  - name: each
    match: {{severity: low}}
    group_by: label
    quiet: 1s
    inhibited_by: never
    send: [{{channel: hook}}]
"""
"""A symbol has an anomaly each 1.2 seconds or so, which is therefore an alert of its own."""


def measure() -> list[Row]:
    """Measure both loads."""
    with running_kafka() as bootstrap, tempfile.TemporaryDirectory() as scratch:
        return [row for load in LOADS for row in _latency(load, bootstrap, Path(scratch))]


def _latency(load: Load, bootstrap: str, folder: Path) -> list[Row]:
    arrivals = folder / f"arrivals-{load.rate}"
    profile = folder / "apart.yaml"
    profile.write_text(PROFILE)
    with ExitStack() as running:
        port = running.enter_context(running_receiver(arrivals))
        secret, rules = folder / "secret", folder / "rules.yaml"
        secret.write_text(SECRET)
        rules.write_text(RULES.format(port=port, secret=secret))
        for name, arguments in (
            ("alerter", ("alert", "--rules", str(rules))),
            ("detector", ("detect", "--profile", str(profile))),
        ):
            log = folder / f"{name}-{load.rate}.log"
            running.enter_context(running_service(arguments, environment(bootstrap), log))
        with running_venue(load, WARM_UP_S + SECONDS) as venue, running_feed(load, venue, bootstrap, folder):
            time.sleep(WARM_UP_S + SECONDS + AFTER_S)
    seconds = _delays(arrivals, bootstrap, WARM_UP_S)
    if len(seconds) < FEWEST:
        raise TapewatchError(f"Only {len(seconds)} alerts came.", f"See {folder / 'alerter.log'}.")
    p50, p99 = statistics.median(seconds), statistics.quantiles(seconds, n=100)[98]
    note(f"alerts: {load.rate:,} a second, {len(seconds)} alerts, {1000 * p50:.0f} and {1000 * p99:.0f} ms")
    name = f"alerts: a trade in Kafka to its alert at a webhook, {load.rate:,} trades a second"
    is_asked = load is LOADS[0]
    return [
        Row(f"{name}, median", 1000 * p50, "ms"),
        Row(f"{name}, 99 of 100 within", 1000 * p99, "ms", target="1,000 at most" if is_asked else None),
    ]


def _delays(arrivals: Path, bootstrap: str, skipped_s: float) -> list[float]:
    """Return by how much alerts came later than their first trades, in seconds, once warm."""
    times = alert_times(arrivals, bootstrap)
    begins_s = min((appended for appended, _ in times), default=0.0) + skipped_s
    return [arrived - appended for appended, arrived in times if appended >= begins_s]


def alert_times(arrivals: Path, bootstrap: str) -> list[tuple[float, float]]:
    """Return when the broker appended the first trade of each alert, and when the alert had arrived."""
    appended = appended_s(bootstrap)
    told = [line.split(" ", 1) for line in arrivals.read_text().splitlines()]
    return [(appended[trade_id], float(at)) for at, trade_id in told if trade_id in appended]


@contextmanager
def running_receiver(arrivals: Path) -> Iterator[int]:
    """Run a receiver; gives its port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.alert_receiver", str(arrivals)],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    try:
        yield int(json.loads(process.stdout.readline())["port"])
    finally:
        process.terminate()
        process.wait()
