"""Cuts lines into fields, with quotes or without; a line that does not fit keeps its number and bytes."""

import csv
import io
import re

import polars as pl

from services.sources.base import RejectedRow

SEPARATORS = (",", "\t", ";", "|")


def split(text: pl.DataFrame, names: list[str], separator: str) -> tuple[pl.DataFrame, list[RejectedRow]]:
    """Cut lines into as many fields as there are names.

    Parameters
    ----------
    text
        Lines, as in `services.sources.lines.Lines`.
    names
        Names of the fields, none twice.
    separator
        One character.

    Returns
    -------
    tuple
        Columns `line` and `names` as text, without the quotes, and the lines that have other fields or open
        quotes.
    """
    quoted = text["raw"].str.contains('"', literal=True)
    count = text["raw"].str.count_matches(separator, literal=True)
    if quoted.any():
        field = rf'(?:"(?:[^"]|"")*"|[^"{re.escape(separator)}]*)'
        whole = rf"^{field}(?:{re.escape(separator)}{field}){{{len(names) - 1}}}$"
        fits = (count == len(names) - 1).zip_with(~quoted, text["raw"].str.contains(whole))
    else:
        fits = count == len(names) - 1
    good = text.filter(fits)
    if not len(good):
        fields = pl.DataFrame(schema=dict.fromkeys(names, pl.String))
    elif quoted.any():
        joined = io.BytesIO("\n".join(good["raw"]).encode())
        fields = pl.read_csv(
            joined, has_header=False, new_columns=names, separator=separator, infer_schema=False
        ).with_columns(pl.all().fill_null(""))
    else:
        cut = good["raw"].str.split_exact(separator, len(names) - 1)
        fields = cut.struct.rename_fields(names).struct.unnest()
    rejected = [
        RejectedRow(line, raw.encode(), _fault(raw, len(names), separator))
        for line, raw in text.filter(~fits).select("line", "raw").iter_rows()
    ]
    return fields.insert_column(0, good["line"]), rejected


def fields_of(line: str, separator: str) -> list[str]:
    """Return one line's fields, without their quotes and the spaces around them."""
    return [field.strip() for field in next(csv.reader([line], delimiter=separator), [])]


def separator_of(line: str) -> str:
    """Return what most likely separates a line's fields; a comma where nothing does."""
    unquoted = re.sub(r'"[^"]*"', "", line)
    return max(SEPARATORS, key=unquoted.count)


def _fault(raw: str, columns: int, separator: str) -> str:
    if raw.count('"') % 2:
        return "a quote is not closed"
    found = len(next(csv.reader([raw], delimiter=separator), []))
    return (
        f"{found} columns where there should be {columns}"
        if found != columns
        else "quotes stand inside a field"
    )
