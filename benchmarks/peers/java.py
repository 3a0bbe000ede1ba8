"""The machine's JDK, and the engines' jars in the user's cache."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from infra.embedded.download import cache_folder, fetch_jars
from infra.embedded.jars import Jar, read_lock
from services.common.errors import TapewatchError

LOCK_FILE = Path(__file__).with_name("jars.lock")

KAFKA_STREAMS = "kafka-streams"
FLINK = "flink"


def locked_jars(section: str) -> list[Jar]:
    """Return an engine's jars as the lock pins them."""
    return read_lock(LOCK_FILE.read_text())[section]


def locked_version(section: str, artifact: str) -> str:
    """Return the version that the lock pins for an artifact of an engine."""
    return next(jar.version for jar in locked_jars(section) if jar.artifact == artifact)


@cache
def fetched_jars(section: str) -> tuple[Path, ...]:
    """Return an engine's jars; downloads those that are missing, or raises TapewatchError."""
    return tuple(fetch_jars(locked_jars(section), cache_folder() / "jars"))


def jdk_program(name: str) -> str:
    """Return the path of the JDK's `java` or `javac`: of `JAVA_HOME`, else on the path.

    Raises
    ------
    TapewatchError
        There is none.
    """
    home = os.environ.get("JAVA_HOME")
    found = shutil.which(name, path=str(Path(home) / "bin") if home else None)
    if found is None:
        raise TapewatchError(
            f"It needs a JDK, whose {name} was not found.",
            "Install one of version 17 or 21 (Debian and Ubuntu: default-jdk-headless), or set JAVA_HOME.",
        )
    return found


@cache
def compiled(source: Path, section: str) -> Path:
    """Return the folder with the classes of a source that uses an engine's jars; compiles it at first.

    Raises
    ------
    TapewatchError
        There is no JDK, or it does not compile the source.
    """
    javac = jdk_program("javac")
    version = subprocess.run([javac, "-version"], capture_output=True, check=True).stdout
    digest = hashlib.sha256(source.read_bytes() + LOCK_FILE.read_bytes() + version).hexdigest()[:16]
    folder = cache_folder() / "peers" / f"{source.stem}-{digest}"
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        classes = Path(scratch) / "classes"
        class_path = os.pathsep.join(map(str, fetched_jars(section)))
        done = subprocess.run(
            [javac, "-proc:none", "-d", str(classes), "-cp", class_path, str(source)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise TapewatchError(
                f"{source.name} does not compile: {done.stderr.strip()[-500:]}",
                "Use a JDK of version 17 or 21.",
            )
        try:
            classes.rename(folder)
        except OSError:
            if not folder.exists():  # else another process was faster
                raise
    return folder
