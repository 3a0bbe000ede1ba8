"""Documents under a size, whatever is in their fields: long texts and lists are cut, and that is said."""

from typing import Any

import msgspec

STEPS = ((2_000, 50), (500, 20), (200, 6), (40, 1))
"""How many characters a text and how many entries a list may have, until the document is small enough.

The last ones leave ids, times and numbers whole, and make any alert small enough.
"""

MAPS = ("links",)
"""Fields with objects whose names are free; other objects keep all of their fields."""

CUT = "…"


def shortened(document: msgspec.Struct, limit_bytes: int) -> dict[str, Any]:
    """Return a document's fields, whose JSON is at most so long.

    Where something had to be cut, `truncated` has the names of the document's fields in which.
    """
    fields: dict[str, Any] = msgspec.to_builtins(document)
    found = fields
    for characters, entries in STEPS:
        if len(msgspec.json.encode(found)) <= limit_bytes:
            break
        cut = _cut_fields(fields, characters, entries)
        found = cut | {"truncated": [name for name in fields if cut[name] != fields[name]]}
    return found


def one_line(text: str, limit: int) -> str:
    """Return a text in one line of at most so many characters, without what a terminal would obey."""
    looked_at = text[: 4 * limit]
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in looked_at).split())
    return _cut_text(line if looked_at == text else line + CUT, limit)


def _cut_fields(fields: dict[str, Any], characters: int, entries: int) -> dict[str, Any]:
    found: dict[str, Any] = {name: _cut(value, characters, entries) for name, value in fields.items()}
    for name in found.keys() & MAPS:
        some = list(found[name].items())[:entries]
        found[name] = {_cut_text(place, characters): value for place, value in some}
    return found


def _cut(value: object, characters: int, entries: int) -> object:
    if isinstance(value, str):
        return _cut_text(value, characters)
    if isinstance(value, list):
        # The newest are last in some lists, the worst first in others: both ends are kept.
        kept = (
            value
            if len(value) <= entries
            else [*value[: entries - entries // 2], *value[len(value) - entries // 2 :]]
        )
        return [_cut(one, characters, entries) for one in kept]
    if isinstance(value, dict):
        return _cut_fields(value, characters, entries)
    return value


def _cut_text(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + CUT
