"""A name for each instance of a service on this host: the same after a restart, never one that is in use."""

import contextlib
import fcntl
import os
import secrets
import socket
import stat
import tempfile
from pathlib import Path

import structlog

from services.common.config.settings import Settings
from services.common.errors import TapewatchError

_held: list[int] = []
"""Open files whose locks are the claims; the kernel releases them however the process ends."""


def claim_instance(service: str, settings: Settings) -> str:
    """Return a name that no other living instance of a service on this host has, until the process ends.

    It is the host's name and the lowest free number: an instance that restarts alone gets its old name
    again. Different users, and containers that share a host's name, do not see each other's claims and
    need `TAPEWATCH_INSTANCE`, which is taken as it is.

    Parameters
    ----------
    service
        Each service counts for itself.
    settings
        May give the name.

    Raises
    ------
    TapewatchError
        The folder of the claims belongs to another user.
    """
    if settings.instance:
        return settings.instance
    host = socket.gethostname()
    try:
        return f"{host}-{_claim_number(service)}"
    except OSError as error:
        name = f"{host}-{secrets.token_hex(4)}"
        structlog.get_logger().warning(
            "a restart will get another instance name", name=name, error=str(error)
        )
        return name


def _claim_number(service: str) -> int:
    folder = os.open(_own_folder(), os.O_RDONLY | os.O_DIRECTORY)
    # systemd-tmpfiles clears away old files, but nothing below a folder that is locked.
    fcntl.flock(folder, fcntl.LOCK_SH)
    _held.append(folder)
    number = 1
    while not _lock(f"{service}-{number}", folder):
        number += 1
    return number


def _lock(name: str, folder: int) -> bool:
    claim = os.open(name, os.O_RDWR | os.O_CREAT, 0o600, dir_fd=folder)
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(claim)
        return False
    _held.append(claim)
    return True


def _own_folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"tapewatch-{os.getuid()}"
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise TapewatchError(
            f"{folder}, where instances register their names, is not a folder of this user.",
            "Remove it, or set TAPEWATCH_INSTANCE to a name that no other instance has.",
        )
    return folder
