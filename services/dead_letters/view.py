"""Letters on a terminal. What they hold is data: it is shown, and never obeyed by the terminal or by rich."""

import datetime as dt
import json
import re
from collections import Counter
from collections.abc import Iterable

from rich.console import JustifyMethod
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from services.common.terminal import visible
from services.contracts.iso_time import iso_utc
from services.dead_letters.letters import Letter, State, as_text

HEX_SHOWN_BYTES = 4_096
"""Bytes shown of a value that is not text."""
KINDS_SHOWN = 5
"""Kinds of error that the summary names for each service."""
LEAST_ERROR_CHARS = 16
"""Characters of an error shown in a table, however narrow."""

STATE_STYLES = {State.NEW: "yellow", State.REPLAYED: "green", State.FAILED_AGAIN: "bold red"}

_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s"{}\[\],:]+')
_DEEPEST_INDENT = 20
_HEX_LINE_BYTES = 16


def time_text(at_ms: int) -> str:
    """Write a time to the second, UTC."""
    return f"{dt.datetime.fromtimestamp(at_ms // 1000, dt.UTC):%Y-%m-%d %H:%M:%S}"


def letter_fields(letter: Letter, state: State) -> dict[str, object]:
    """Return all of a letter but its value, for JSON; bytes that are not UTF-8 are escaped."""
    at = dt.datetime.fromtimestamp(letter.at_ms / 1000, dt.UTC)
    return {
        "id": str(letter.id),
        "at": iso_utc(at, "milliseconds"),
        "state": state.value,
        "key": None if letter.key is None else as_text(letter.key),
        "size_bytes": letter.size_bytes,
        "headers": letter.headers,
    }


def letters_table(letters: Iterable[tuple[Letter, State]], width: int) -> Table:
    """Return a row for each letter, the error cut so that the table fits into `width` characters."""
    rows = [
        (
            Text(str(letter.id)),
            Text(time_text(letter.at_ms)[len("2000-") :]),  # letters are kept for months, not years
            Text(visible(letter.service)),
            Text(_origin_text(letter)),
            Text(f"{letter.size_bytes} B" if letter.size_bytes < 1000 else decimal(letter.size_bytes)),
            Text(state, style=STATE_STYLES[state]),
            Text(visible(letter.error)),
        )
        for letter, state in letters
    ]
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    names = ("id", "when (UTC)", "service", "origin", "size", "state", "error")
    for name in names:
        # These two are folded if the error would have no room at all.
        folds = name in {"origin", "state"}
        justify: JustifyMethod = "right" if name == "size" else "left"
        table.add_column(name, no_wrap=not folds, overflow="fold", justify=justify)
    before_error = sum(
        max(len(name), *(cells[at].cell_len for cells in rows)) + 2 for at, name in enumerate(names[:-1])
    )
    for *cells, error in rows:
        error.truncate(max(width - before_error, LEAST_ERROR_CHARS), overflow="ellipsis")
        table.add_row(*cells, error)
    return table


def _origin_text(letter: Letter) -> str:
    origin = visible(str(letter.origin or "unknown"))
    return origin if letter.replay_of is None else f"{origin}, replay of {letter.replay_of}"


def summary(total: int, shown: int, kinds: Counter[tuple[str, str]], service: str | None) -> Text:
    """Return the line below the table: how many letters there are, of which services and kinds of error."""
    if not total:
        return Text(f"no dead letters of the service {visible(service)}" if service else "no dead letters")
    by_service: Counter[str] = Counter()
    for (name, _), count in kinds.items():
        by_service[name] += count
    parts = []
    for name, count in by_service.most_common():
        of_service = Counter({kind: n for (owner, kind), n in kinds.items() if owner == name})
        named = [f"{visible(kind)} {n:,}" for kind, n in of_service.most_common(KINDS_SHOWN)]
        others = count - sum(n for _, n in of_service.most_common(KINDS_SHOWN))
        if others:
            named.append(f"others {others:,}")
        parts.append(f"{visible(name)} {count:,} ({', '.join(named)})")
    letters = "1 dead letter" if total == 1 else f"{total:,} dead letters"
    text = Text(letters, style="bold")
    if shown < total:
        text.append(f", the newest {shown:,} shown")
    return text.append(f": {'; '.join(parts)}", style="not bold")


def letter_text(letter: Letter, value: bytes | None, replays_ms: list[int]) -> Text:
    """Return everything of a letter.

    Parameters
    ----------
    letter
        All but the value.
    value
        The original bytes.
    replays_ms
        When it was put back, in milliseconds since 1970.
    """
    lines = [("when", f"{time_text(letter.at_ms)} UTC")]
    lines += [("replayed", f"{time_text(at_ms)} UTC") for at_ms in replays_ms]
    lines.append(("key", "none" if letter.key is None else visible(as_text(letter.key))))
    lines.append(("size", f"{letter.size_bytes:,} bytes"))
    lines += [(visible(name), visible(text)) for name, text in letter.headers.items()]
    width = max(len(name) for name, _ in lines)
    text = Text()
    text.append(f"Letter {letter.id}\n", style="bold")
    for name, content in lines:
        text.append(f"  {name:{width}}  ", style="dim").append(f"{content}\n")
    return text.append("\n").append(value_text(value)).append("\n")


def value_text(value: bytes | None) -> str:
    """Write a value: JSON indented, other text as it is, anything else as a hex dump."""
    if not value:
        return "(empty)"
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return hex_dump(value)
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return visible(text, keep="\n\t")
    return visible(indent_json(text), keep="\n")


def indent_json(text: str) -> str:
    """Indent JSON without touching its parts: numbers and repeated names stay as they were written."""
    pieces: list[str] = []
    depth = 0
    before = ""
    for part in _JSON_TOKEN.findall(text):
        closes = part in {"}", "]"}
        depth -= closes
        if before in {"{", "["} and closes:
            pass
        elif closes or before in {"{", "[", ","}:
            pieces.append("\n" + "  " * min(depth, _DEEPEST_INDENT))
        pieces.append(": " if part == ":" else part)
        depth += part in {"{", "["}
        before = part
    return "".join(pieces)


def hex_dump(value: bytes) -> str:
    """Write the first bytes in hex and as ASCII, and say how many more there are."""
    lines = []
    for start in range(0, min(len(value), HEX_SHOWN_BYTES), _HEX_LINE_BYTES):
        part = value[start : start + _HEX_LINE_BYTES]
        plain = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append(f"{start:08x}  {part.hex(' '):{3 * _HEX_LINE_BYTES - 1}}  {plain}")
    if len(value) > HEX_SHOWN_BYTES:
        lines.append(f"… {len(value) - HEX_SHOWN_BYTES:,} bytes more; --raw writes them all")
    return "\n".join(lines)
