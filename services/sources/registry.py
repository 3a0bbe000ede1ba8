"""The kinds of files, recognised by what they hold; a kind's module loads when a file of it is opened."""

import importlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.common.errors import TapewatchError
from services.sources.file import FileSource


@dataclass(frozen=True)
class FileKind:
    """A kind of file.

    Parameters
    ----------
    name
        Name for a person.
    beginning
        A regular expression that fits the beginning of the file's content, decompressed.
    reader
        `module:class` of the `FileSource` that reads it.
    extra
        The project's extra with the packages that only this kind needs; None where it needs none.
    """

    name: str
    beginning: bytes
    reader: str
    extra: str | None = None


DBN = rb"DBN|[\x0c\x0e]\x00|[\x14\x16]\x01|[\x14\x16\x2c\x2e]\x16"
"""With metadata, or a fragment that begins with a trade, a record of tbbo or mbp-1, or a symbol's mapping."""

FILE_KINDS = (
    FileKind("Databento's DBN", DBN, "services.sources.databento.dbn:DatabentoDbn", "databento"),
    FileKind("Databento's CSV", rb"", "services.sources.databento.csv:DatabentoCsv"),
)
"""The first one that matches reads a file; the last one takes any, and reports what is missing."""

BEGINNING_BYTES = 4096
"""Bytes of a file's content that are inspected."""


def reader_of(path: Path, beginning: bytes) -> FileSource:
    """Open a file as the kind that its beginning matches.

    Raises
    ------
    TapewatchError
        Its kind needs a package that is not installed, or it is not a file of trades.
    """
    kind = next(kind for kind in FILE_KINDS if re.match(kind.beginning, beginning))
    reader: type[FileSource] = load(kind.reader, f"{path} is {kind.name}, which", kind.extra)
    return reader(path)


def load(path: str, what: str, extra: str | None) -> Any:  # noqa: ANN401 - whatever stands there
    """Import `module:name`.

    Raises
    ------
    TapewatchError
        A package of the extra is not installed; `what` begins the sentence that says so.
    """
    module, _, name = path.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        if extra is None:
            raise
        raise TapewatchError(
            f"{what} cannot be read without the package {error.name}.",
            f"Install Tapewatch's extra {extra}: pip install -e '.[{extra}]'",
        ) from error
