"""Shared by the benchmarks: days of trades, a Kafka of their own, the commands as processes."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil
from rich.console import Console

from infra.embedded.ports import free_port
from infra.embedded.stack import EmbeddedStack, StackConfig
from infra.setup.topics import set_up_topics
from services.common.errors import TapewatchError
from services.common.kafka.clients import new_admin
from services.sources.synthetic.day import DayConfig, write_day

PROJECT = Path(__file__).parent.parent
OUT = PROJECT / "out" / "bench"
REAL_DAYS = Path(os.environ.get("TAPEWATCH_REAL_DATA", PROJECT.parent / "shared" / "data"))

_console = Console(stderr=True, highlight=False)


def note(text: str) -> None:
    """Print progress on stderr; stdout is for the table alone."""
    _console.print(text, style="dim")


def generated_day(config: DayConfig) -> Path:
    """Return the file of a generated day; the same values give the same bytes."""
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / f"{config.date}-{config.seed}-{config.trades}x{config.symbols}.csv.zst"
    # Generated again each time: a file of an older generator would make two runs look comparable.
    write_day(config, path, path.with_suffix("").with_suffix(".labels.csv"))
    return path


def real_day() -> Path | None:
    """Return a real day's file, read in place; None without one."""
    return next(iter(sorted(REAL_DAYS.glob("*.csv.zst"))), None)


@contextmanager
def running_kafka(settings: Mapping[str, str] | None = None) -> Iterator[str]:
    """Run the embedded Kafka with Tapewatch's topics, and nothing else beside it.

    Parameters
    ----------
    settings
        Further settings of the broker.

    Yields
    ------
    str
        Its bootstrap servers.
    """
    config = StackConfig(kafka_port=free_port(), elasticsearch_port=free_port(), kafka_settings=settings)
    with EmbeddedStack(config, report=note) as stack:
        stack.elasticsearch.stop()  # it would only take processor time from what is measured
        set_up_topics(new_admin(stack.kafka_connection))
        yield stack.kafka_bootstrap


def command(*arguments: str) -> list[str]:
    """Return the command line of `tapewatch` with these arguments."""
    return [sys.executable, "-m", "cli.main", *arguments]


def environment(bootstrap: str) -> dict[str, str]:
    """Return the environment that the demo gives to each service."""
    return os.environ | {
        "TAPEWATCH_KAFKA": bootstrap,
        "TAPEWATCH_INSTANCE": "benchmark",
        "POLARS_MAX_THREADS": "1",
    }


def run_command(env: dict[str, str], timeout_s: float, *arguments: str) -> str:
    """Run a command of Tapewatch to its end, and return its log.

    Raises
    ------
    TapewatchError
        It failed.
    """
    return run_to_end(command(*arguments), env, timeout_s, f"`tapewatch {arguments[0]}`").stderr


def run_to_end(
    arguments: list[str], env: dict[str, str], timeout_s: float, name: str
) -> "subprocess.CompletedProcess[str]":
    """Run a program to its end, and return what it wrote.

    Parameters
    ----------
    arguments
        Its command line.
    env
        Its environment.
    timeout_s
        How long it may take.
    name
        What an error calls it.

    Raises
    ------
    TapewatchError
        It failed.
    """
    done = subprocess.run(
        arguments,
        env=env,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    if done.returncode != 0:
        raise TapewatchError(f"{name} failed: {done.stderr[-500:]}", "Fix the error that it reports.")
    return done


def processor_s(pid: int) -> float:
    """Return the processor time of a process, all of its threads, in seconds."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def ended_children_s() -> float:
    """Return the processor time of the children of this process that have ended, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
