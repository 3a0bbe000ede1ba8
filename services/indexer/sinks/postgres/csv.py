r"""Lines of CSV as `COPY` reads them with the options below.

Most of a line is what a JSON encoder writes of a tuple, without its brackets: quotes, commas, numbers, `true`
and `null` are the same in both. Only the escapes of a text differ, where JSON has more than `\"` and `\\`.
"""

import re
from collections.abc import Sequence

import msgspec

COPY_OPTIONS = r"""(FORMAT csv, NULL 'null', QUOTE '"', ESCAPE '\', ENCODING 'UTF8')"""

Cell = str | int | float | bool | None

_encode = msgspec.json.Encoder().encode
_SAME_ESCAPES = re.compile(rb'(?:[^\\]|\\["\\])*')


def csv_line(cells: Sequence[Cell]) -> bytes:
    """Return a line without its end; a text may contain anything, also line ends and NUL.

    Parameters
    ----------
    cells
        Integers of 64 bits, finite floats, texts, booleans, or None for null.
    """
    line = _encode(cells)[1:-1]
    if b"\\" in line and not _SAME_ESCAPES.fullmatch(line):
        return b",".join([_cell(cell) for cell in cells])
    return line


def _cell(cell: Cell) -> bytes:
    if isinstance(cell, str):
        return b'"%b"' % cell.encode().replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return _encode(cell)


def array_text(texts: Sequence[str] | None) -> str | None:
    """Return a list of texts as Postgres writes an array of them; None of None."""
    if texts is None:
        return None
    escaped = (text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return "{" + ",".join(f'"{text}"' for text in escaped) + "}"
