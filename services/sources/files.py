"""Opens the files and globs that a person names, in the order of their first trades."""

import glob
from pathlib import Path

from services.common.errors import TapewatchError
from services.sources.base import RejectedRow, Source
from services.sources.compression import BrokenFileError, first_bytes, unsupported_kind
from services.sources.file import FileSource
from services.sources.mapped.mapping import Mapping
from services.sources.options import PriceForm
from services.sources.registry import BEGINNING_BYTES, reader_of
from services.sources.spool import is_pipe, spool


def open_sources(
    names: list[str],
    mapping: Mapping | None = None,
    symbology: Path | None = None,
    prices: PriceForm | None = None,
) -> list[FileSource]:
    """Open every named file and sort them by the time of their first trade.

    Parameters
    ----------
    names
        Files, globs and pipes (`-` is standard input). A file named twice is taken once.
    mapping
        What their columns are; None for files of a kind that is recognised.
    symbology
        A file with the symbols of their instruments; None for the one beside each, if it needs one.
    prices
        How their prices are written; None for what each file shows.

    Raises
    ------
    TapewatchError
        A name matches no file, or a file is not trades; nothing has been published then.
    """
    sources = [open_source(path, mapping, symbology, prices) for path in expand_names(names)]
    return [
        source for _, source in sorted(((first_event_ns(s), s) for s in sources), key=lambda pair: pair[0])
    ]


def expand_names(names: list[str]) -> list[Path]:
    """Expand globs, copy pipes into files, and drop repetitions, keeping the order."""
    paths: dict[Path, Path] = {}
    for name in dict.fromkeys(names):
        if is_pipe(name):
            path = spool(name)
            paths[path] = path
            continue
        given = Path(name).expanduser()
        matches = [] if given.exists() else sorted(glob.glob(str(given)))  # noqa: PTH207 - absolute ones too
        found = [given] if given.exists() else [Path(match) for match in matches]
        if not found:
            raise TapewatchError(f"File not found: {name}.", "Check the path; put globs in quotes.")
        for path in found:
            if path.is_dir():
                raise TapewatchError(f"{path} is a folder.", f"Name its files, such as '{path}/*.csv.zst'.")
            paths.setdefault(path.resolve(), path)
    return list(paths.values())


def open_source(
    path: Path,
    mapping: Mapping | None = None,
    symbology: Path | None = None,
    prices: PriceForm | None = None,
) -> FileSource:
    """Open one file by a mapping, or by what it holds; its name does not matter."""
    try:
        if path.stat().st_size == 0:
            raise TapewatchError(f"{path} is empty.", "Fetch the file again, or leave it out.")
        beginning = first_bytes(path, BEGINNING_BYTES)
        if not beginning:
            raise TapewatchError(f"{path} has nothing in it.", "Fetch the file again, or leave it out.")
        if kind := unsupported_kind(beginning):
            raise TapewatchError(
                f"{path} is {kind}, which is not supported.",
                "Unpack it; CSV and DBN may be compressed with zstd, gzip, bzip2, xz or zip.",
            )
        return reader_of(path, beginning, mapping, symbology, prices)
    except BrokenFileError as error:
        raise TapewatchError(f"{path} cannot be read: {error}.", error.hint) from error
    except OSError as error:
        raise TapewatchError(f"{path} cannot be read: {error.strerror}.", "Check its permissions.") from error


def first_event_ns(source: Source) -> int:
    """Return the event time of the first trade; a file without rows comes last.

    Raises
    ------
    TapewatchError
        The file has rows, but none is a trade.
    """
    rejected: list[RejectedRow] = []
    count = 0
    for chunk in source.chunks():
        if len(chunk.trades):
            return int(chunk.trades["ts_event"][0])
        rejected = rejected or chunk.rejected[:1]
        count += len(chunk.rejected)
    if rejected:
        first = rejected[0]
        raise TapewatchError(
            f"Nothing in {source.name} is a trade: {count:,} of {count:,} rows are rejected; "
            f"line {first.line}: {first.reason}.",
            "Correct the file, or leave it out.",
        )
    return 2**63 - 1
