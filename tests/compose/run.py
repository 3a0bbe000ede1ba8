"""Runs the compose file's services on the generated day, disturbs them, and compares what they leave.

    python -m tests.compose.run [--stand-ins PROGRAM]

The images are built from a copy of the checkout that only its owner may read, and settings that cannot work
are tried. While the day flows, two detectors join, the containers' rights and reach are looked at, and every
container is restarted, killed and halted; then the profile storage joins, and its containers are, too. At the
end the topics, indices and tables must hold the day's trades, each once, and a backtest's anomalies. Then all
starts again from scratch, with files of several layouts. The services have a project name, volumes and ports
of their own, and are gone at the end. Exit code 1 on any violation.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rich.console import Console

from services.common.errors import TapewatchError
from tests.chaos.tables import verify_tables
from tests.chaos.verify import Violation
from tests.compose.checkout import copy_for_its_owner
from tests.compose.engine import check_docker
from tests.compose.faults import STORAGE_PLAN, Healing, disturb, ended_by_themselves
from tests.compose.from_scratch import check_from_scratch
from tests.compose.hardening import check_hardening
from tests.compose.mistakes import Answer, make_all
from tests.compose.reach import check_hosts, check_instances, check_networks
from tests.compose.report import faults_table, mistakes_table
from tests.compose.results import compare, expected_results, wait_until_indexed, wait_until_stored
from tests.compose.stack import FILE, ROOT, STORAGE_PASSWORDS, ComposeStack
from tests.compose.waiting import wait_until

OUT = ROOT / "out" / "compose"
CALM_SPEED = "400"
"""The quiet hours before the market opens take 50 s at this speed."""

FAULTS_SPEED = "20"
"""The market's hours take 20 minutes at this speed, the quiet ones after them 12: long enough for all faults,
even on two busy cores."""

CALM_SHARE = 0.04
"""Of the day's trades that come before the market opens, about."""

DETECTORS = 3
SETUP_JOBS = ("setup", "setup-kibana")
STORAGE_JOBS = ("setup-postgres",)
ONCE = ("passwords", *SETUP_JOBS, "producer", STORAGE_PASSWORDS, *STORAGE_JOBS)
"""Services that exit; the others must be healthy until the end."""

WIDTH_OF_A_FILE = 160
NOTHING_TO_DO = "everything is set up already"
MORE_OF_THE_SESSION = "Kibana opens with "
"""What is said while a session is still being replayed."""

Say = Callable[[str], None]


@dataclass
class Report:
    """What was seen: the problems, and what the tables show."""

    violations: list[Violation] = field(default_factory=list)
    healings: list[Healing] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)


def run_compose_test(say: Say) -> Report:
    """Run it; return what was seen.

    Parameters
    ----------
    say
        Called with a line of text for each step.

    Raises
    ------
    TapewatchError
        The services do not start, or something takes too long.
    """
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    day, anomalies = expected_results(OUT)
    say(f"expected: {len(day.trades):,} trades, {len(anomalies):,} anomalies")
    copy_for_its_owner(ROOT, OUT / "checkout")
    report = Report()
    with ComposeStack(OUT / "checkout") as stack:
        try:
            say("docker compose build (the first time takes some minutes)")
            stack.compose("--profile", "storage", "build")
            say("making mistakes")
            report.answers, report.violations = make_all(stack, OUT / "mistakes")
            say("docker compose up")
            stack.compose("up", "--detach", SPEED=CALM_SPEED)
            _scale(stack, say)
            wanted = CALM_SHARE * len(day.trades)
            wait_until(lambda: stack.published() >= wanted, f"{CALM_SHARE:.0%} of the trades published")
            stack.compose("up", "--detach", "--no-deps", "producer", SPEED=FAULTS_SPEED)
            _look(stack, report, say)
            report.healings, late = disturb(stack, len(day.trades), say)
            report.violations += late
            _add_storage(stack, report, len(day.trades), say)
            say("publishing the rest as fast as possible")
            stack.compose("up", "--detach", "--no-deps", "producer")
            with stack.open_elasticsearch() as client:
                wait_until_indexed(stack, client, len(day.trades), len(anomalies), say)
                report.violations += _publish_again(stack, say)
                say("comparing topics, indices and tables")
                report.violations += compare(stack, client, day, anomalies)
            wait_until_stored(stack.postgres_connection(), len(day.trades), len(anomalies), say)
            report.violations += verify_tables(stack.postgres_connection(), day, anomalies)
            report.violations += not_well(stack)
            report.violations += ended_by_themselves(stack.containers().values())
            say("from scratch, with files of several layouts")
            answers, violations = check_from_scratch(stack, OUT / "layouts")
            report.answers += answers
            report.violations += violations
        except TapewatchError:
            say(_logs(stack))
            raise
        if report.violations:
            say(_logs(stack))
        say("docker compose down --volumes")
    return report


def _scale(stack: ComposeStack, say: Say) -> None:
    scaled = ("--scale", f"detector={DETECTORS}", "detector")
    stack.compose("up", "--detach", "--no-deps", "--no-recreate", *scaled)
    wait_until(lambda: stack.detectors_at_work() == DETECTORS, f"{DETECTORS} detectors at work")
    say(f"{DETECTORS} detectors at work")


def _look(stack: ComposeStack, report: Report, say: Say) -> None:
    """Do everything that disturbs nothing."""
    wait_until(lambda: not stack.is_running("setup-kibana"), "end of setup-kibana")
    report.violations += _set_up_again(stack, SETUP_JOBS, say)
    say("looking at rights, passwords, networks, hosts and instances")
    report.violations += check_hardening(stack)
    report.violations += check_networks(stack)
    report.violations += check_hosts(stack)
    report.violations += check_instances(
        stack, {"producer": 1, "detector": DETECTORS, "alerter": 1, "indexer": 1}
    )


def _add_storage(stack: ComposeStack, report: Report, trades: int, say: Say) -> None:
    """Bring Postgres, its sink and Grafana up beside what runs, look at them, and disturb them."""
    say("docker compose --profile storage up")
    stack.compose("--profile", "storage", "up", "--detach", "indexer-postgres", "grafana")
    wait_until(lambda: stack.container("indexer-postgres").is_well, "health of indexer-postgres")
    wait_until(lambda: stack.container("grafana").is_well, "health of grafana")
    report.violations += _set_up_again(stack, STORAGE_JOBS, say)
    say("looking at their rights, passwords and networks")
    report.violations += check_hardening(stack, has_storage=True)
    report.violations += check_networks(stack)
    healings, late = disturb(stack, trades, say, STORAGE_PLAN, ("elasticsearch", "postgres"))
    report.healings += healings
    report.violations += late


def _set_up_again(stack: ComposeStack, services: Sequence[str], say: Say) -> list[Violation]:
    """Run again the commands that must not change anything the second time."""
    violations = []
    for service in services:
        # What to open follows in further lines.
        said = stack.compose("run", "--rm", "--no-deps", "-T", service).strip().partition("\n")[0]
        say(f"{service} again: {said}")
        if said != NOTHING_TO_DO and not said.startswith(MORE_OF_THE_SESSION):
            violations.append(Violation(service, "changed something when it ran again", 1, (said,)))
    return violations


def _publish_again(stack: ComposeStack, say: Say) -> list[Violation]:
    """Start the producer again, which must not publish anything the second time."""
    before = stack.published()
    stack.compose("start", "producer")
    wait_until(lambda: not stack.is_running("producer"), "end of the producer's second run")
    added = stack.published() - before
    say(f"producer again: {added:,} records")
    return [Violation("producer", "published again", added, ("records of a second run",))] if added else []


def not_well(stack: ComposeStack) -> list[Violation]:
    """Report unhealthy services, and services that should have exited successfully but have not."""
    violations = []
    for name, one in sorted(stack.containers().items()):
        is_good = (one.state, one.exit_code) == ("exited", 0) if one.service in ONCE else one.is_well
        if not is_good:
            text = f"{one.state}, {one.health or 'no health'}, {one.exit_code}"
            violations.append(Violation(name, "not well", 1, (text,)))
    return violations


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
            # Compose shows the images of the profiles that are named.
            env = os.environ | {"COMPOSE_PROFILES": "storage"}
            subprocess.run([chosen.stand_ins, str(FILE)], check=True, env=env)
        check_docker()
        report = run_compose_test(say)
    except TapewatchError as error:
        say(f"Error: {error.cause}\nFix:   {error.hint}")
        return 1
    except KeyboardInterrupt:
        say("Stopped.")
        return 130
    console = Console(width=None if sys.stdout.isatty() else WIDTH_OF_A_FILE)
    console.print(faults_table(report.healings))
    console.print(mistakes_table(report.answers))
    for violation in report.violations:
        say(str(violation))
    say("Passed." if not report.violations else f"{len(report.violations)} kinds of violation.")
    return int(bool(report.violations))


if __name__ == "__main__":
    sys.exit(main())
