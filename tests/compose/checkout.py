"""A copy of the checkout that only its owner may read, as a clone under umask 077 is."""

import re
import shutil
from pathlib import Path

from tests.compose.stack import FILE

IGNORED_BY_BUILDS = ".dockerignore"


def copy_for_its_owner(source: Path, target: Path) -> None:
    """Copy what the containers are built from and use.

    Parameters
    ----------
    source
        A checkout; files that are not committed count too.
    target
        Must not exist.
    """
    target.mkdir()
    kept = re.findall(r"^!(.+)$", (source / IGNORED_BY_BUILDS).read_text(), re.M)
    for name in (*kept, FILE.name, IGNORED_BY_BUILDS):
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source / name, target / name)
    for path in (target, *target.rglob("*")):
        path.chmod(path.stat().st_mode & 0o700)
