"""Checks the free disk space before a download or a server start, so that neither fails half-way."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from services.common.errors import TapewatchError


def check_free_space(needed_bytes: Mapping[Path, int]) -> None:
    """Fail if a file system has less free space than is about to be used on it.

    Parameters
    ----------
    needed_bytes
        For each folder, which need not exist yet, the bytes that will be written to it. The needs of
        folders on the same file system are added up.

    Raises
    ------
    TapewatchError
        If there is not enough space.
    """
    folders: dict[int, list[Path]] = {}
    for folder in needed_bytes:
        folders.setdefault(_existing(folder).stat().st_dev, []).append(folder)
    for shared in folders.values():
        needed = sum(needed_bytes[folder] for folder in shared)
        free = shutil.disk_usage(_existing(shared[0])).free
        if free < needed:
            raise no_space(shared, f"{free / 1e9:.1f} GB free, and {needed / 1e9:.1f} GB are needed")


def no_space(folders: list[Path], state: str = "no space left") -> TapewatchError:
    """Return the error for a full, or nearly full, disk that holds the given folders."""
    return TapewatchError(
        f"The disk of {' and '.join(map(str, folders))} has {state}.",
        "Free some space there, or choose another disk: --data-dir moves the servers' data, TMPDIR "
        "temporary data, XDG_CACHE_HOME the downloads.",
    )


def _existing(folder: Path) -> Path:
    folder = folder.absolute()
    return next(path for path in (folder, *folder.parents) if path.exists())
