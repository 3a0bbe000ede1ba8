"""A tuned profile as a YAML file with its reasons."""

import re
from typing import Any

import yaml

from services.detector.profiles.profile import BUILT_IN, Profile, load_profile


def profile_text(profile: Profile, base: str | None, comments: list[str], of_symbol: dict[str, str]) -> str:
    """Write a profile as YAML that `load_profile` reads.

    Parameters
    ----------
    profile
        What to write.
    base
        The name that the person gave for the profile it started from. What differs from a built-in one is
        written; from a file, all that differs from `default`.
    comments
        Lines for the head of the file.
    of_symbol
        Symbol to a line above its parameters.
    """
    base_name = base if base in BUILT_IN else "default"
    before = load_profile(base_name)
    general = {
        name: value
        for name in ("exchange", "sessions")
        if (value := getattr(profile, name)) != getattr(before, name)
    }
    detectors = _differing(before.detectors.model_dump(), profile.detectors.model_dump())
    if detectors:
        general["detectors"] = detectors
    parts = [*(f"# {_one_line(comment)}" for comment in comments)]
    for name, value in {"name": profile.name, "base": base_name, **general}.items():
        parts.append(_yaml({name: value}))
    parts.append("symbols:")
    for symbol, own in profile.symbols.items():
        if symbol in of_symbol:
            parts.append(f"  # {_one_line(of_symbol[symbol])}")
        parts.append("\n".join(f"  {line}" for line in _yaml({symbol: own}).splitlines()))
    return "\n".join(parts) + "\n"


def _differing(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Return the detectors with the parameters that differ; null for one that no longer runs."""
    found: dict[str, Any] = {}
    for name in dict.fromkeys((*before, *after)):
        known, parameters = before.get(name), after.get(name)
        if parameters is None or known is None:
            if parameters != known:
                found[name] = parameters
        elif own := {key: value for key, value in parameters.items() if value != known[key]}:
            found[name] = own
    return found


def _yaml(content: dict[str, Any]) -> str:
    """Write a mapping; one of numbers alone stands on one line within it."""
    style = None if any(isinstance(value, dict) for value in content.values()) else False
    text = yaml.safe_dump(content, sort_keys=False, default_flow_style=style, allow_unicode=True, width=4096)
    return text.rstrip("\n")


def _one_line(text: str) -> str:
    return re.sub(r"[^\x20-\x7e]", "?", text)
