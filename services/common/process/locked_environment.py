"""A Python environment of its own, with packages that must not be installed beside Tapewatch's."""

import hashlib
import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from importlib.metadata import distributions
from pathlib import Path

from services.common.errors import TapewatchError


class LockedEnvironment:
    """An environment that has what a lock pins by hash, and nothing else.

    Parameters
    ----------
    title
        What its packages are called in messages.
    lock
        The hash-pinned requirements.
    folder
        Where it is, or will be.
    """

    def __init__(self, title: str, lock: Path, folder: Path) -> None:
        self._title = title
        self._lock = lock
        self._folder = folder

    @property
    def python(self) -> Path:
        """Its Python, to be run with `variables`."""
        return self._folder / "bin" / "python"

    def is_installed(self) -> bool:
        """Tell whether it is there, as locked and for this Python."""
        stamp = self._folder / ".installed"
        return stamp.exists() and stamp.read_text() == self._wanted()

    def install(self, say: Callable[[str], None]) -> None:
        """Make it, unless it is installed as locked; `say` is told what takes time.

        Raises
        ------
        TapewatchError
            It could not be made.
        """
        if self.is_installed():
            return
        say(f"Installing {self._title} into {self._folder}, once; it may take some minutes ...")
        began_s = time.monotonic()
        pip = [str(self.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        for step in (
            [sys.executable, "-m", "venv", "--clear", str(self._folder)],
            [*pip, "--require-hashes", "-r", str(self._lock)],
        ):
            done = subprocess.run(step, capture_output=True, text=True, env=self.variables(), check=False)
            if done.returncode != 0:
                raise TapewatchError(
                    f"Installing {self._title} failed: {(done.stderr or done.stdout).strip()[-500:]}",
                    "Check the network, then try again.",
                )
        (self._folder / ".installed").write_text(self._wanted())
        say(f"Installed in {time.monotonic() - began_s:.0f} s.")

    def variables(self) -> dict[str, str]:
        """Return the variables for its Python, which has another path than this process's."""
        return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def version(self, package: str) -> str:
        """Return the version of a package that it has."""
        site = sysconfig.get_path("purelib", "venv", {"base": str(self._folder)})
        return next(found.version for found in distributions(name=package, path=[site]))

    def _wanted(self) -> str:
        return hashlib.sha256(self._lock.read_bytes() + sys.version.encode()).hexdigest()
