"""Downloads jars into the cache: in parallel, verified, and each whole or not at all."""

import contextlib
import errno
import hashlib
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path

import requests
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from infra.embedded.disk import check_free_space, no_space
from infra.embedded.jars import Jar
from services.common.errors import TapewatchError

REPOSITORY_VARIABLE = "TAPEWATCH_MAVEN_REPOSITORY"
CONNECTIONS = 4
ATTEMPTS = 3
CONNECT_TIMEOUT_S = 10
READ_TIMEOUT_S = 20
RETRY_PAUSE_S = 1.0
CHUNK_BYTES = 1 << 16
ABANDONED_PART_AGE_S = 3600


def repository_url() -> str:
    """Return the URL of the Maven repository, without a trailing slash."""
    # Imported late: a start with all jars in the cache does not need it.
    from jgo import MAVEN_CENTRAL_URL

    return (os.environ.get(REPOSITORY_VARIABLE) or MAVEN_CENTRAL_URL).rstrip("/")


def cache_folder() -> Path:
    """Return Tapewatch's folder in the user's cache; it need not exist yet."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tapewatch"


def fetch_jars(jars: Sequence[Jar], folder: Path) -> list[Path]:
    """Make sure that every jar is in a folder, with the content that the lock pins.

    Only jars that are missing or differ are downloaded. Several processes may do this at the same time.

    Parameters
    ----------
    jars
        Jars required.
    folder
        Folder they are kept in, laid out like a Maven repository.

    Returns
    -------
    list of Path
        The jars' files, in the given order.

    Raises
    ------
    TapewatchError
        If a jar cannot be downloaded, or there is not enough disk space for it.
    """
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        present = pool.map(lambda jar: _is_intact(folder / jar.path, jar), jars)
        missing = [jar for jar, is_present in zip(jars, present, strict=True) if not is_present]
    if missing:
        check_free_space({folder: sum(jar.size_bytes for jar in missing)})
        _fetch_all(missing, folder)
    return [folder / jar.path for jar in jars]


def _is_intact(path: Path, jar: Jar) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == jar.sha256
    except OSError:
        return False


def _fetch_all(jars: Sequence[Jar], folder: Path) -> None:
    base_url = repository_url()
    stopping = threading.Event()
    with _progress(jars) as advance, ThreadPoolExecutor(CONNECTIONS) as pool, requests.Session() as session:
        fetches = [pool.submit(_fetch, jar, folder, base_url, session, advance, stopping) for jar in jars]
        try:
            done, _ = wait(fetches, return_when=FIRST_EXCEPTION)
        finally:
            # After an error or a Ctrl-C the others stop within a chunk; after a success none is left to stop.
            stopping.set()
            pool.shutdown(cancel_futures=True)
        for fetch in done:
            fetch.result()


class _StoppedError(Exception):
    """Another download failed, or Ctrl-C was pressed."""


def _fetch(
    jar: Jar,
    folder: Path,
    base_url: str,
    session: requests.Session,
    advance: Callable[[int], None],
    stopping: threading.Event,
) -> None:
    target = folder / jar.path
    for attempt in range(1, ATTEMPTS + 1):
        received = 0

        def count(size_bytes: int) -> None:
            nonlocal received
            received += size_bytes
            advance(size_bytes)

        try:
            _fetch_once(jar, target, f"{base_url}/{jar.path}", session, count, stopping)
            return
        except _StoppedError:
            return
        except requests.RequestException as error:
            advance(-received)
            if attempt == ATTEMPTS or not _is_worth_a_retry(error):
                raise _download_error(jar, _in_words(error)) from error
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise no_space([folder]) from error
            raise TapewatchError(
                f"{target} cannot be written: {error.strerror}.",
                "Make it writable, or choose another cache folder with XDG_CACHE_HOME.",
            ) from error
        stopping.wait(RETRY_PAUSE_S * attempt)


def _fetch_once(
    jar: Jar,
    target: Path,
    url: str,
    session: requests.Session,
    count: Callable[[int], None],
    stopping: threading.Event,
) -> None:
    """Download into a temporary file next to the target, verify it, and only then rename it to the target."""
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned_parts(target.parent)
    digest = hashlib.sha256()
    descriptor, name = tempfile.mkstemp(dir=target.parent, suffix=".part")
    part = Path(name)
    try:
        with (
            os.fdopen(descriptor, "wb") as file,
            session.get(url, stream=True, timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S)) as response,
        ):
            response.raise_for_status()
            for chunk in response.iter_content(CHUNK_BYTES):
                if stopping.is_set():
                    raise _StoppedError
                file.write(chunk)
                digest.update(chunk)
                count(len(chunk))
        if digest.hexdigest() != jar.sha256:
            raise _download_error(jar, "its SHA-256 differs from the one in jars.lock")
        part.chmod(0o644)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _remove_abandoned_parts(folder: Path) -> None:
    """Remove partial downloads of killed processes; one that is still being written is younger."""
    for part in folder.glob("*.part"):
        with contextlib.suppress(OSError):
            if time.time() - part.stat().st_mtime > ABANDONED_PART_AGE_S:
                part.unlink()


def _is_worth_a_retry(error: requests.RequestException) -> bool:
    """Tell a temporary failure from an answer that would be the same again."""
    return error.response is None or error.response.status_code >= 500 or error.response.status_code == 429


def _in_words(error: requests.RequestException) -> str:
    """Describe the error without the library's nested class names and addresses."""
    if error.response is not None:
        return f"the repository answered {error.response.status_code} {error.response.reason}"
    words = {
        requests.exceptions.ProxyError: "the proxy refused the connection",
        requests.exceptions.SSLError: "the repository's TLS certificate is not trusted here "
        "(set REQUESTS_CA_BUNDLE to a file with its CA certificates)",
        requests.exceptions.Timeout: "the repository did not answer in time",
        requests.exceptions.ChunkedEncodingError: "the connection was lost",
        requests.exceptions.ConnectionError: "the repository could not be reached",
    }
    return next((text for kind, text in words.items() if isinstance(error, kind)), str(error))


def _download_error(jar: Jar, cause: str) -> TapewatchError:
    return TapewatchError(
        f"{jar.coordinate} could not be downloaded: {cause}.",
        f"Check the network and its proxy (HTTPS_PROXY), or set {REPOSITORY_VARIABLE} to the URL of a mirror "
        "of the Maven repository; jars already downloaded are kept.",
    )


@contextlib.contextmanager
def _progress(jars: Sequence[Jar]) -> Iterator[Callable[[int], None]]:
    """Show the downloads on stderr: a progress bar on a terminal, one line otherwise."""
    total_bytes = sum(jar.size_bytes for jar in jars)
    what = f"Downloading {len(jars)} jars"
    if not sys.stderr.isatty():
        megabytes = f"{total_bytes / 1e6:.0f} MB"
        print(f"{what} (once, {megabytes}) ...", file=sys.stderr, flush=True)
        yield lambda _: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(what, total=total_bytes)
        yield lambda size_bytes: progress.advance(task, size_bytes)
