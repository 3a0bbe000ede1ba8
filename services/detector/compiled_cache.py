"""Where numba keeps the compiled code of the detectors: a folder for each state of their sources.

Numba compiles a function again if the file that it is in changes, but not if a function that it calls changes
in another file: after an update, a loop would silently run the old version of what it calls.
"""

import hashlib
import os
import shutil
from pathlib import Path

_PACKAGE = Path(__file__).parent
_NAME = "compiled-"
_VARIABLE = "NUMBA_CACHE_DIR"
UNCOMPILED = ("live", "models", "offline", "profiles", "selftest", "watchdog")
"""Folders that no compiled function of another file calls: a change in another compiles everything again."""


def use_own_folder(package: Path = _PACKAGE) -> None:
    """Make numba keep its files in the folder of the present sources; must run before numba is imported.

    Without `NUMBA_CACHE_DIR` the folder is in the package's `__pycache__`, and those of earlier sources are
    deleted. The sources are read, which takes some milliseconds.

    Parameters
    ----------
    package
        Folder with all the compiled sources.
    """
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        if path.relative_to(package).parts[0] in UNCOMPILED:
            continue
        if path.is_file():  # an editor's lock is a link to nothing
            digest.update(path.read_bytes())
    name = _NAME + digest.hexdigest()[:16]
    chosen = os.environ.get(_VARIABLE)
    if chosen:
        is_inherited = Path(chosen).name.startswith(_NAME)  # from a parent process, maybe of other sources
        os.environ[_VARIABLE] = str(Path(chosen).with_name(name) if is_inherited else Path(chosen, name))
        return
    own = package / "__pycache__" / name
    for other in own.parent.glob(f"{_NAME}*"):
        if other != own:
            shutil.rmtree(other, ignore_errors=True)
    os.environ[_VARIABLE] = str(own)
