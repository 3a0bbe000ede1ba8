"""The demo as a process: on a generated day, or on a venue that runs here and goes wrong as feeds do."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.embedded.ports import LOOPBACK, free_port
from tests.standins.faults import Fault
from tests.standins.process import StandInProcess
from tests.standins.tape import TapeConfig

VENUE = "coinbase"
SYMBOLS = ("BTC-USD", "ETH-USD")
PER_SECOND = 40.0
TAPE = TapeConfig(SYMBOLS, PER_SECOND, seed=4, step_cents=40, outlier_every=150)

DROPPED = 30
OUTAGE_S = 4.0
"""Of this length the history forgets all but the last prints."""

STARTED_WITHIN_S = 600.0
STOPPED_WITHIN_S = 40.0


def make_faults(from_print: int, step: int, outage_s: float = OUTAGE_S) -> list[Fault]:
    """Return a gap that can be filled, a reset, and an outage that the history forgets, in this order."""
    return [
        Fault("drop", from_print, DROPPED),
        Fault("reset", from_print + step),
        Fault("forgotten", from_print + 2 * step, outage_s),
    ]


@dataclass(frozen=True)
class RunningDemo:
    """A running demo.

    Parameters
    ----------
    dashboard, elasticsearch
        Their addresses.
    """

    dashboard: str
    elasticsearch: str


@contextmanager
def running_demo(folder: Path, *arguments: str) -> Iterator[RunningDemo]:
    """Run `tapewatch demo` in a folder until the end of the block; it says where to look by its start."""
    ports = {name: free_port() for name in ("kafka", "elasticsearch", "dashboard")}
    log = folder / "demo.log"
    with log.open("w") as output:
        demo = subprocess.Popen(
            [
                *(sys.executable, "-m", "cli.main", "demo", *arguments),
                *(part for name, port in ports.items() for part in (f"--{name}-port", str(port))),
            ],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_until_it_says("Where to look next", log, demo)
            urls = {name: f"http://{LOOPBACK}:{port}" for name, port in ports.items()}
            yield RunningDemo(urls["dashboard"], urls["elasticsearch"])
            demo.send_signal(signal.SIGINT)
            assert demo.wait(STOPPED_WITHIN_S) == 0, log.read_text()
        finally:
            demo.kill()
            demo.wait()


@contextmanager
def live_demo(folder: Path, faults: list[Fault]) -> Iterator[tuple[RunningDemo, StandInProcess]]:
    """Run the demo on a venue with these faults; its dashboard answers until the end of the block."""
    with StandInProcess(VENUE, TAPE, faults) as venue:
        arguments = ("--live", f"{VENUE}:{','.join(SYMBOLS)}", *venue.urls)
        with running_demo(folder, *arguments) as demo:
            yield demo, venue


def _wait_until_it_says(text: str, log: Path, demo: "subprocess.Popen[bytes]") -> None:
    until_s = time.monotonic() + STARTED_WITHIN_S
    while text not in log.read_text():
        assert demo.poll() is None, log.read_text()
        assert time.monotonic() < until_s, log.read_text()
        time.sleep(0.5)
