"""Opens the files and globs that a person names, in the order of their first trades."""

import glob
from collections.abc import Sequence
from pathlib import Path

from services.common.errors import TapewatchError
from services.sources.base import RejectedRow, Source
from services.sources.compression import BrokenFileError, first_bytes, unsupported_kind
from services.sources.exported.layout import DAY, day_folders, is_export
from services.sources.exported.source import Exported
from services.sources.file import FileSource
from services.sources.options import NO_OPTIONS, FileOptions
from services.sources.registry import BEGINNING_BYTES, reader_of
from services.sources.spool import is_pipe, spool

_TAKERS = {
    "symbology": "DBN",
    "prices": "Databento's CSV (in a mapping, write prices=fixed)",
}
"""What each option is for."""


def open_sources(
    names: list[str],
    options: FileOptions = NO_OPTIONS,
) -> list[FileSource]:
    """Open every named file and sort them by the time of their first trade.

    Parameters
    ----------
    names
        Files, globs, pipes (`-` is standard input), and folders of exported trades, of which each day is a
        source. A file named twice is taken once.
    options
        What is said about them; each file takes what its kind needs.

    Raises
    ------
    TapewatchError
        A name matches no file, a file is not trades, or no file takes an option; nothing has been published
        then.
    """
    sources = [open_source(path, options) for path in expand_names(names)]
    check_taken(sources, options)
    return [
        source for _, source in sorted(((first_event_ns(s), s) for s in sources), key=lambda pair: pair[0])
    ]


def check_taken(sources: Sequence[FileSource], options: FileOptions) -> None:
    """Check that each option is taken by a file.

    Raises
    ------
    TapewatchError
        One is taken by none.
    """
    for name, meant in _TAKERS.items():
        if getattr(options, name) is not None and not any(name in source.takes for source in sources):
            raise TapewatchError(
                f"{sources[0].path} takes no --{name}: that is for {meant}.", f"Leave out --{name}."
            )


def expand_names(names: list[str]) -> list[Path]:
    """Expand globs and exports, copy pipes into files, and drop repetitions, keeping the order."""
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
            if not path.is_dir() or DAY.fullmatch(path.name):
                paths.setdefault(path.resolve(), path)
            elif is_export(path):
                paths |= {day.resolve(): day for day in day_folders(path)}
            else:
                raise TapewatchError(f"{path} is a folder.", f"Name its files, such as '{path}/*.csv.zst'.")
    return list(paths.values())


def open_source(
    path: Path,
    options: FileOptions = NO_OPTIONS,
) -> FileSource:
    """Open one file by a mapping, or by what it holds; its name does not matter. Or a day's folder."""
    try:
        if path.is_dir():
            if options.mapping is not None:
                raise TapewatchError(f"{path} is exported trades, which need no mapping.", "Leave out --map.")
            return Exported(path)
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
        return reader_of(path, beginning, options)
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
