"""The peers that Tapewatch is compared with, in an environment of their own.

They pin other versions of libraries that Tapewatch uses, so they cannot share its environment.
"""

import hashlib
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.surroundings import PROJECT, note
from services.common.errors import TapewatchError

LOCK = Path(__file__).with_name("peers.lock")
VENV = PROJECT / "out" / "peers-venv"


def peer_version(name: str) -> str:
    """Return the version that the lock pins."""
    found = re.search(rf"^{re.escape(name)}==(\S+)", LOCK.read_text(), re.MULTILINE)
    if found is None:
        raise LookupError(f"{LOCK.name} has no {name}")
    return found[1]


def peers_environment() -> dict[str, str]:
    """Return the variables for the peers' Python, which has another path than this process's."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def peers_python() -> Path:
    """Return the peers' Python; install the peers first unless they are installed as locked.

    Raises
    ------
    TapewatchError
        They could not be installed.
    """
    python = VENV / "bin" / "python"
    stamp = VENV / ".installed"
    wanted = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    note(f"Installing the peers into {VENV.relative_to(PROJECT)}, once; it takes about half a minute ...")
    began_s = time.monotonic()
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for step in (
        [sys.executable, "-m", "venv", "--clear", str(VENV)],
        [*pip, "--require-hashes", "-r", str(LOCK)],
    ):
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise TapewatchError(
                f"The peers could not be installed: {(done.stderr or done.stdout).strip()[-500:]}",
                "Check the network, then run the benchmark again; `--only` leaves out what needs them.",
            )
    stamp.write_text(wanted)
    note(f"Installed them in {time.monotonic() - began_s:.0f} s.")
    return python
