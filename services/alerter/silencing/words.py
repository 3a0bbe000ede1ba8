"""Silences in words, and as the commands that make and end them."""

import shlex
from collections.abc import Iterable

from services.contracts.alert import Matcher, Silence

_UNITS_S = {"d": 86_400, "h": 3600, "m": 60, "s": 1}


def matcher_text(matcher: Matcher) -> str:
    """Write which alerts a silence is about."""
    parts = [f"{name} {', '.join(values)}" for name, values in _lists(matcher).items() if values]
    if matcher.below is not None:
        parts.append(f"below {matcher.below}")
    return "; ".join(parts) or "all"


def names_of(given: Iterable[str] | None) -> list[str]:
    """Return names that were given one by one, or with commas between them."""
    return [name.strip() for text in given or () for name in text.split(",") if name.strip()]


def duration_text(seconds: float) -> str:
    """Write a time as commands take it: `90s`, `2h`, `1h30m`; whole seconds."""
    left, text = round(seconds), ""
    for unit, length_s in _UNITS_S.items():
        count, left = divmod(left, length_s)
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def add_command(matcher: Matcher, for_s: float, reason: str, author: str) -> str:
    """Return the command that makes a silence, for a POSIX shell."""
    words = ["tapewatch", "silence", "add", "--for", duration_text(for_s), "--reason", reason]
    for name, values in _lists(matcher).items():
        if values:
            words += [f"--{name}", ",".join(values)]
    if matcher.below is not None:
        words += ["--below", str(matcher.below)]
    return shlex.join([*words, "--author", author])


def expire_command(silence: Silence, author: str) -> str:
    """Return the command that ends a silence, for a POSIX shell."""
    return shlex.join(["tapewatch", "silence", "expire", silence.silence_id, "--author", author])


def _lists(matcher: Matcher) -> dict[str, list[str]]:
    return {
        "symbols": matcher.symbols,
        "labels": matcher.labels,
        "rules": matcher.rules,
        "channels": matcher.channels,
    }
