"""Rules for a dry run: their channels are named, but never opened."""

from pathlib import Path

from services.alerter.channels.registry import kind_of
from services.alerter.rules.model import ChannelSpec, Rules
from services.alerter.rules.reading import FOLDER, load_rules, parse_rules


def rules_to_try(source: str | Path | None = None) -> Rules:
    """Read a rules file, or built-in rules, as `load_rules` does.

    Of channels only the kind is checked: secrets may be on another machine.

    Raises
    ------
    TapewatchError
        The file cannot be read or is invalid; the message names the line.
    """
    return load_rules(source, _check_kind)


def rules_of_text(text: str) -> Rules:
    """Read the text of a rules file in the same way.

    Raises
    ------
    TapewatchError
        It is invalid; the message names the line.
    """
    return parse_rules(text, _check_kind)


def built_in_text() -> str:
    """Return the text of the built-in rules."""
    return (FOLDER / "default.yaml").read_text(encoding="utf-8")


def _check_kind(channel: ChannelSpec) -> None:
    kind_of(channel.kind)
