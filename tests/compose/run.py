"""Runs the compose file's services on the generated day, disturbs them, and compares what they leave.

    python -m tests.compose.run [--stand-ins PROGRAM]

While the day flows, two detectors join, and the broker is restarted and killed. At the end the topics and
indices must hold the day's trades, each once, and a backtest's anomalies. The services have a project name,
volumes and ports of their own, and are gone at the end. Exit code 1 on any violation.
"""

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import orjson
from elasticsearch import ApiError, Elasticsearch

from services.common.errors import TapewatchError
from tests.chaos.day import Day, read_day
from tests.chaos.read_back import verify_indices, verify_topics
from tests.chaos.verify import Violation
from tests.compose.stack import FILE, PROJECT, ROOT, ComposeStack, check_docker

OUT = ROOT / "out" / "compose"
SPEED = 200.0
"""The day then takes 288 s: long enough for all faults, even on two busy cores."""

DETECTORS = 3
STEP_TIMEOUT_S = 600.0
STALL_TIMEOUT_S = 240.0
POLL_S = 1.0
ONCE = ("passwords", "setup", "setup-kibana", "producer")
"""Services that exit; the others must be healthy until the end."""

Say = Callable[[str], None]


def run_compose_test(say: Say) -> list[Violation]:
    """Run it; return the problems found.

    Parameters
    ----------
    say
        Called with a line of text for each step.

    Raises
    ------
    TapewatchError
        The services do not start, or something takes too long.
    """
    day, anomalies = _expected(OUT)
    say(f"expected: {len(day.trades):,} trades, {len(anomalies):,} anomalies")
    with ComposeStack(SPEED) as stack:
        try:
            say("docker compose up --build (the first build takes some minutes)")
            stack.compose("up", "--detach", "--build")
            violations = _disturb(stack, len(day.trades), say)
            with stack.open_elasticsearch() as client:
                _wait_for_end(stack, client, len(day.trades), len(anomalies), say)
                violations += _repeat(stack, say)
                say("comparing topics and indices")
                violations += compare(stack, client, day, anomalies)
            violations += _unhealthy(stack)
        except TapewatchError:
            say(_logs(stack))
            raise
        if violations:
            say(_logs(stack))
        say("docker compose down --volumes")
    return violations


def _expected(folder: Path) -> tuple[Day, dict[str, dict[str, Any]]]:
    """Generate the same day as the producer's container, and return a backtest's anomalies by `trade_id`."""
    folder.mkdir(parents=True, exist_ok=True)
    path, output = folder / "day.csv.zst", folder / "anomalies.ndjson"
    for arguments in (
        ("generate", "--output", str(path), "--labels", str(folder / "labels.csv")),
        ("backtest", str(path), "--output", str(output)),
    ):
        subprocess.run([sys.executable, "-m", "cli.main", *arguments], check=True, capture_output=True)
    lines = [orjson.loads(line) for line in output.read_bytes().splitlines()]
    return read_day(path), {line["trade_id"]: line for line in lines}


def _disturb(stack: ComposeStack, trades: int, say: Say) -> list[Violation]:
    """Add detectors, restart the broker and kill it, each at its share of the day."""

    def scale() -> None:
        stack.compose(
            "up", "--detach", "--no-deps", "--no-recreate", "--scale", f"detector={DETECTORS}", "detector"
        )
        _wait(lambda: stack.detectors_at_work() == DETECTORS, f"{DETECTORS} detectors at work")

    def restart() -> None:
        stack.compose("restart", "redpanda")

    def kill() -> None:
        stack.compose("kill", "redpanda")
        stack.compose("start", "redpanda")

    violations = []
    for share, name, act in (
        (0.05, f"{DETECTORS} detectors", scale),
        (0.25, "the broker restarted", restart),
        (0.45, "the broker killed and started", kill),
    ):

        def is_so_far(wanted: float = share * trades) -> bool:
            return stack.published() >= wanted

        _wait(is_so_far, f"{share:.0%} of the trades published")
        say(f"at {stack.published() / trades:.0%} of the day: {name}")
        act()
        if not stack.is_publishing():
            violations.append(Violation("the test", "too late", 1, (f"{name}: the day was over before",)))
    return violations


def _wait_for_end(stack: ComposeStack, client: Elasticsearch, trades: int, anomalies: int, say: Say) -> None:
    """Wait until everything is published and indexed, or there is no progress for a long time."""
    before = (0, 0)
    came_s = time.monotonic()
    while stack.is_publishing() or before < (trades, anomalies):
        try:
            now = stack.indexed(client)
        except ApiError as error:
            if error.status_code != HTTPStatus.SERVICE_UNAVAILABLE:  # an index that was made a moment ago
                raise
            now = before
        if now != before:
            before, came_s = now, time.monotonic()
        elif time.monotonic() - came_s > STALL_TIMEOUT_S:
            say(f"nothing came for {STALL_TIMEOUT_S:.0f} s")
            break
        time.sleep(POLL_S)
    say(f"indexed: {before[0]:,} trades, {before[1]:,} anomalies")


def _repeat(stack: ComposeStack, say: Say) -> list[Violation]:
    """Run again the commands that must not change anything the second time."""
    violations = []
    for service in ("setup", "setup-kibana"):
        # What to open follows in further lines.
        said = stack.compose("run", "--rm", "--no-deps", "-T", service).strip().partition("\n")[0]
        say(f"{service} again: {said}")
        if said != "everything is set up already":
            violations.append(Violation(service, "changed something when it ran again", 1, (said,)))
    before = stack.published()
    stack.compose("start", "producer")
    _wait(lambda: not stack.is_publishing(), "end of the producer's second run")
    added = stack.published() - before
    say(f"producer again: {added:,} records")
    if added:
        violations.append(Violation("producer", "published again", added, ("records of a second run",)))
    return violations


def compare(
    stack: ComposeStack, client: Elasticsearch, day: Day, anomalies: dict[str, dict[str, Any]]
) -> list[Violation]:
    """Compare the topics and the indices with the day and a backtest's anomalies."""
    return [*verify_topics(stack, day, anomalies), *verify_indices(client, day, anomalies)]


def _unhealthy(stack: ComposeStack) -> list[Violation]:
    """Report unhealthy services, and services that should have exited successfully but have not."""
    violations = []
    for name, (state, health, code) in sorted(stack.states().items()):
        service = name.removeprefix(f"{PROJECT}-").rpartition("-")[0]
        is_good = (
            (state, code) == ("exited", 0) if service in ONCE else (state, health) == ("running", "healthy")
        )
        if not is_good:
            violations.append(Violation(name, "not well", 1, (f"{state}, {health or 'no health'}, {code}",)))
    return violations


def _wait(is_so: Callable[[], bool], what: str) -> None:
    deadline_s = time.monotonic() + STEP_TIMEOUT_S
    while not is_so():
        if time.monotonic() > deadline_s:
            raise TapewatchError(f"After {STEP_TIMEOUT_S:.0f} s still no {what}.", "Check the logs above.")
        time.sleep(POLL_S)


def _logs(stack: ComposeStack) -> str:
    return stack.compose("logs", "--no-color", "--tail", "20") + stack.compose("ps", "--all")


def main() -> int:
    """Run the test; see `--help`."""
    parser = argparse.ArgumentParser(prog="make compose-test", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--stand-ins",
        metavar="PROGRAM",
        help="called with the compose file; gets the engine and the images where no registry is reached",
    )
    chosen = parser.parse_args()
    # A SIGTERM ends everything in order, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    began_s = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - began_s:6.1f} s  {line}", flush=True)

    try:
        if chosen.stand_ins:
            subprocess.run([chosen.stand_ins, str(FILE)], check=True)
        check_docker()
        violations = run_compose_test(say)
    except TapewatchError as error:
        say(f"Error: {error.cause}\nFix:   {error.hint}")
        return 1
    except KeyboardInterrupt:
        say("Stopped.")
        return 130
    for violation in violations:
        say(str(violation))
    say("Passed." if not violations else f"{len(violations)} kinds of violation.")
    return int(bool(violations))


if __name__ == "__main__":
    sys.exit(main())
