"""Pinned Python packages in environments of their own, in the user's cache beside the embedded servers' jars.

Peers pin other versions of libraries that Tapewatch uses, so they cannot share its environment.
"""

import re
from pathlib import Path

from infra.embedded.download import cache_folder
from services.common.process.locked_environment import LockedEnvironment


def locked_version(lock: Path, package: str) -> str:
    """Return the version of a package that a lock pins, which need not be installed."""
    found = re.search(rf"^{re.escape(package)}==([^\s;\\]+)", lock.read_text(), re.MULTILINE)
    if found is None:
        raise LookupError(f"{lock} has no {package}")
    return found[1]


def environment_of(title: str, lock: Path) -> LockedEnvironment:
    """Return the environment of a peer; its folder is called after its title."""
    return LockedEnvironment(title, lock, cache_folder() / "peers" / title.lower().replace(" ", "-"))
