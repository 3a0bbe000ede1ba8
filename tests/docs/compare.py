"""Compares what the code has with what the pages name."""

import re
from collections.abc import Iterable


def undocumented(names: Iterable[str], texts: Iterable[str]) -> list[str]:
    """Return the names that occur in no text as a whole word."""
    everything = "\n".join(texts)
    return [
        name for name in sorted(names) if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", everything)
    ]


def unknown(pattern: re.Pattern[str], texts: Iterable[str], names: Iterable[str]) -> list[str]:
    """Return text that looks like a name but is not one; for a pattern with a group, the group's text."""
    known = set(names)
    found = {match for text in texts for match in pattern.findall(text)}
    return sorted(found - known)


def differences(documented: Iterable[str], real: Iterable[str]) -> list[str]:
    """Return a line for each name that only one side has."""
    documented, real = set(documented), set(real)
    return [f"not documented: {name}" for name in sorted(real - documented)] + [
        f"not in the code: {name}" for name in sorted(documented - real)
    ]


def same_default(cell: str, default: object) -> bool:
    """Tell whether a table's cell gives a default as a number or a text, and not in words."""
    if isinstance(default, bool) or default is None or default == "":
        return True
    if isinstance(default, int | float):
        try:
            return float(cell.strip("`").replace(",", "")) == default
        except ValueError:
            return False
    return cell.strip("`") == default if isinstance(default, str) else True
