"""`tapewatch inspect`: what a file is, some rows as trades, what is missing, and the command for it."""

import shlex
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

import orjson
import polars as pl

from services.common.errors import TapewatchError
from services.sources.cells import fields_of, separator_of, split
from services.sources.compression import BrokenFileError, first_bytes
from services.sources.file import FileSource
from services.sources.files import check_taken, expand_names, open_source
from services.sources.mapped.csv import head_lines
from services.sources.mapped.mapping import read_mapping
from services.sources.mapped.propose import propose
from services.sources.options import FileOptions, PriceForm
from services.sources.parquet import MAGIC, parquet_schema
from services.sources.registry import BEGINNING_BYTES, kind_of
from services.sources.spool import is_pipe

SHOWN_TRADES = 3
SHOWN_REJECTED = 3
SHOWN_COLUMNS = 40
ABSENT = {
    "side": "no side of the aggressor: every trade is N",
    "sequence": "no sequence: trades of the same time are in the file's order",
}


def inspect_file(
    name: str, map_spec: str | None, symbology: Path | None = None, prices: PriceForm | None = None
) -> tuple[list[str], bool]:
    """Describe a file.

    Parameters
    ----------
    name
        Path of the file, a glob, of which the first one is taken, or a pipe.
    map_spec
        A mapping to try, as `--map` takes it.
    symbology, prices
        See `FileOptions`.

    Returns
    -------
    tuple
        Lines for a person, and whether trades can be read from it.

    Raises
    ------
    TapewatchError
        There is no such file, or it is packed in a way that is not read.
    """
    path = expand_names([name])[0]
    where = "FILE" if is_pipe(name) else str(path)  # a pipe has to be saved first
    mapping = None if map_spec is None else read_mapping(map_spec)
    options = FileOptions(mapping, symbology, prices)
    try:
        source = open_source(path, options)
        check_taken([source], options)
    except TapewatchError as error:
        if mapping is not None:
            raise
        try:
            return _unknown(path, error, where)
        except BrokenFileError:
            raise error from None
    if path.is_dir():
        what = "a day of exported trades"
    else:
        what = kind_of(first_bytes(path, BEGINNING_BYTES)).name if mapping is None else "read by the mapping"
    lines, found = _trades(source)
    said = {"--map": map_spec, "--symbology": symbology, "--prices": prices}
    command = _command(where, said) if found else []
    return [f"{path}: {what}.", *lines, *command], found


def _unknown(path: Path, error: TapewatchError, where: str) -> tuple[list[str], bool]:
    """Describe a file of no known layout, with a mapping for it."""
    sample, has_header = _sample(path)
    lines = [f"{path}: {error.cause.removeprefix(f'{path} ')}"]
    if len(sample.columns) < len(("time", "price", "size")):
        return [*lines, f"Fix: {error.hint}"], False
    shown = ", ".join(sample.columns[:SHOWN_COLUMNS])
    lines.append(f"Columns: {shown}{' …' if len(sample.columns) > SHOWN_COLUMNS else ''}")
    proposal = propose(sample, has_header)
    lines += [f"Proposed mapping: {proposal.spec}", *(f"  {note}" for note in proposal.notes)]
    lines += [f"Missing: {_missing(key)}" for key in proposal.missing]
    found = False
    if not proposal.missing:
        source = open_source(path, FileOptions(read_mapping(proposal.spec)))
        rows, found = _trades(source)
        lines += rows
    return [*lines, *_command(where, {"--map": proposal.spec}, is_ready=found)], found


def _sample(path: Path) -> tuple[pl.DataFrame, bool]:
    """Return up to a hundred rows as a file has them, and whether it names its columns."""
    if first_bytes(path, len(MAGIC)) == MAGIC:
        parquet_schema(path)
        return pl.scan_parquet(path).head(100).collect(), True
    first, *rest = head_lines(path)
    separator = separator_of(first)
    names = fields_of(first, separator)
    has_header = not any(name[:1].isdigit() or name[:2].lstrip("-").isdigit() for name in names)
    if not has_header:
        rest, names = [first, *rest], [f"#{number}" for number in range(1, len(names) + 1)]
    elif len(set(names)) < len(names) or "line" in names or "" in names:
        names = [
            name if name and name != "line" and names.index(name) == at else f"column {at + 1}"
            for at, name in enumerate(names)
        ]
    text = pl.DataFrame({"raw": rest}, schema={"raw": pl.String}).with_row_index("line", 2)
    cells, _ = split(text.filter(pl.col("raw") != ""), names, separator)
    return cells.drop("line"), has_header


def _trades(source: FileSource) -> tuple[list[str], bool]:
    """Show the first trades of a source, what they lack, and the first rows that are none."""
    shown: list[dict[str, object]] = []
    rejected = []
    read = 0
    for chunk in islice(source.chunks(), 2):  # a broken end is a chunk of its own
        read += len(chunk.trades)
        rejected += chunk.rejected
        shown += map(orjson.loads, source.to_json(chunk.trades[: SHOWN_TRADES - len(shown)]))
        if len(shown) == SHOWN_TRADES:
            break
    lines = []
    for trade in shown:
        lines += ["", *(f"  {key:<16} {orjson.dumps(value).decode()}" for key, value in trade.items())]
    if shown:
        lines = ["The first rows as trades:", *lines[1:], ""]
        absent = [text for key, text in ABSENT.items() if all(trade.get(key, "N") == "N" for trade in shown)]
        lines += [f"Missing: {text}." for text in absent]
    else:
        lines.append("No row of its beginning is a trade.")
    if rejected:
        lines.append(f"Not trades: {len(rejected)} of the first {read + len(rejected):,} rows, such as")
        lines += [f"  line {row.line}: {row.reason[:300]}" for row in rejected[:SHOWN_REJECTED]]
    if not source.in_time_order:
        lines.append("Sorted by symbol, then by time: it cannot be replayed with --speed.")
    return lines, bool(shown)


def _missing(key: str) -> str:
    if key == "symbol":
        return 'symbol. Where all rows have one, write it in quotes: symbol="NAME".'
    return f"{key}. Name its column; a file without one holds no trades."


def _command(where: str, said: Mapping[str, object], is_ready: bool = True) -> list[str]:
    flags = [text for flag, value in said.items() if value is not None for text in (flag, str(value))]
    command = shlex.join(["tapewatch", "produce", where, *flags])
    return [
        "",
        "Publish it with:" if is_ready else "Complete the mapping, and try it with `tapewatch inspect`:",
        f"  {command}",
    ]
