"""The kinds of files, recognised by what they hold; a kind's module loads when a file of it is opened."""

import importlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.common.errors import TapewatchError
from services.sources.file import FileSource
from services.sources.options import NO_OPTIONS, FileOptions
from services.sources.parquet import MAGIC


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
        `module:class` of the `FileSource` that reads it, or a function that opens one.
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
    FileKind("Parquet", MAGIC, "services.sources.mapped.parquet:open_parquet"),
    FileKind(
        "Massive's flat file of trades",
        rb"(?=[^\n]*sip_timestamp)[\w,\" ]*\bticker\b",
        "services.sources.massive.trades:MassiveTrades",
    ),
    FileKind(
        "Binance's dump of trades",
        rb"\d+,[\d.]+,[\d.]+,[\d.]+,(\d+,)?\d{13,16},(?i:true|false)|(agg_trade_)?id,price,(qty|quantity),",
        "services.sources.binance:BinanceTrades",
    ),
    FileKind(
        "Kraken's dump of trades",
        rb"\d{9,10}(\.\d+)?(,[\d.]+){2}\r?\n",
        "services.sources.kraken:KrakenTrades",
    ),
    FileKind(
        "bars",
        rb"(?i)"
        + b"".join(rb"(?=[^\n]*\b%b\b)" % name for name in (b"open", b"high", b"low", b"close", b"volume"))
        + rb"(?=[^\n]*\b(timestamp|time|datetime|date)\b)[^\n]*\b(symbol|ticker)\b",
        "services.sources.bars:Bars",
    ),
    FileKind("Databento's CSV", rb"", "services.sources.databento.csv:DatabentoCsv"),
)
"""The first one that matches reads a file; the last one takes any, and reports what is missing."""

MAPPED_TEXT = "services.sources.mapped.csv:MappedCsv"

BEGINNING_BYTES = 4096
"""Bytes of a file's content that are inspected."""


def kind_of(beginning: bytes) -> FileKind:
    """Return the kind that a file's beginning matches."""
    return next(kind for kind in FILE_KINDS if re.match(kind.beginning, beginning))


def reader_of(path: Path, beginning: bytes, options: FileOptions = NO_OPTIONS) -> FileSource:
    """Open a file as the kind that its beginning matches, or by a mapping.

    Raises
    ------
    TapewatchError
        Its kind needs a package that is not installed, or it is not a file of trades.
    """
    if options.mapping is not None:
        is_parquet = beginning.startswith(MAGIC)
        module = "services.sources.mapped.parquet:MappedParquet" if is_parquet else MAPPED_TEXT
        by_mapping: FileSource = load(module, str(path), None)(path, options.mapping)
        return by_mapping
    kind = kind_of(beginning)
    reader = load(kind.reader, f"{path} is {kind.name}, which", kind.extra)
    taken = {name: getattr(options, name) for name in getattr(reader, "takes", ())}
    source: FileSource = reader(path, **taken)
    return source


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
