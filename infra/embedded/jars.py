"""The jars of the embedded servers, as pinned in `jars.lock`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

LOCK_FILE = Path(__file__).with_name("jars.lock")

KAFKA = "kafka"
ELASTICSEARCH = "elasticsearch"
COMPILER = "compiler"


@dataclass(frozen=True)
class Jar:
    """A jar of a Maven repository, with the hash and size of its content.

    Parameters
    ----------
    group, artifact, version
        Its Maven coordinate.
    classifier
        The coordinate's optional part, usually empty.
    sha256
        SHA-256 of the content, in hexadecimal.
    size_bytes
        Size of the content.
    """

    group: str
    artifact: str
    version: str
    classifier: str
    sha256: str
    size_bytes: int

    @property
    def coordinate(self) -> str:
        """`group:artifact[:classifier]:version`, as the lock and messages name it."""
        return ":".join(part for part in (self.group, self.artifact, self.classifier, self.version) if part)

    @property
    def path(self) -> PurePosixPath:
        """Path of the jar in a Maven repository, and in the cache."""
        name = "-".join(part for part in (self.artifact, self.version, self.classifier) if part)
        return PurePosixPath(*self.group.split("."), self.artifact, self.version, f"{name}.jar")


def read_lock(text: str) -> dict[str, list[Jar]]:
    """Parse a lock: `[section]` lines, each followed by its jars.

    Parameters
    ----------
    text
        The lock's content; `#` starts a comment.

    Returns
    -------
    dict
        The jars of each section, in the lock's order.

    Raises
    ------
    ValueError
        If a line is neither a section, a jar nor a comment.
    """
    sections: dict[str, list[Jar]] = {}
    current: list[Jar] | None = None
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.partition("#")[0].strip()
        if not line:
            continue
        if line.startswith("[") and line.endswith("]"):
            current = sections.setdefault(line[1:-1], [])
            continue
        if current is None:
            raise ValueError(f"line {number} of the jar lock comes before any [section]: {raw}")
        current.append(_parse_jar(line, number))
    return sections


def write_lock(sections: Mapping[str, list[Jar]]) -> str:
    """Format jars as the text that `read_lock` reads, sorted so that diffs stay small."""
    lines = ["# group:artifact[:classifier]:version sha256 size_bytes; written by lock_jars.py beside it"]
    for section, jars in sections.items():
        lines += ["", f"[{section}]"]
        lines += [
            f"{jar.coordinate} {jar.sha256} {jar.size_bytes}"
            for jar in sorted(jars, key=lambda j: j.coordinate)
        ]
    return "\n".join(lines) + "\n"


def locked_jars() -> dict[str, list[Jar]]:
    """Return the jars of Tapewatch's own lock by section."""
    return read_lock(LOCK_FILE.read_text())


def locked_version(section: str, artifact: str) -> str:
    """Return the version that the lock pins for an artifact of a section."""
    return next(jar.version for jar in locked_jars()[section] if jar.artifact == artifact)


def _parse_jar(line: str, number: int) -> Jar:
    try:
        coordinate, sha256, size = line.split()
        group, artifact, *classifier, version = coordinate.split(":")
        if len(classifier) > 1 or len(sha256) != 64:
            raise ValueError
        return Jar(group, artifact, version, "".join(classifier), sha256, int(size))
    except ValueError:
        raise ValueError(f"line {number} of the jar lock is not a jar: {line}") from None
