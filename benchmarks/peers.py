"""The peers that Tapewatch is compared with, in an environment of their own.

They pin other versions of libraries that Tapewatch uses, so they cannot share its environment.
"""

from pathlib import Path

from benchmarks.surroundings import PROJECT
from services.common.process.locked_environment import LockedEnvironment

PEERS = LockedEnvironment("the peers", Path(__file__).with_name("peers.lock"), PROJECT / "out" / "peers-venv")
