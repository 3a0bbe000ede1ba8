"""Formats a profile as YAML, with comments."""

import re
from itertools import groupby
from typing import Any

import yaml

from services.detector.profiles.profile import ADJUSTMENTS, BUILT_IN, USUAL_DAY, Profile, load_profile

_CURVE = re.compile(r"^( *)by_quarter_hour: \{(.*)\}$", re.MULTILINE)


def profile_text(profile: Profile, base: str | None, comments: list[str], of_symbol: dict[str, str]) -> str:
    """Return a profile as YAML that `load_profile` reads.

    Parameters
    ----------
    profile
        The profile.
    base
        Name of the profile it is based on, as the user gave it. If it is a built-in one, only the differences
        from it are written; if it is a file, the differences from `default`.
    comments
        Comment lines for the top of the file.
    of_symbol
        For each symbol, a comment line above its parameters.
    """
    base_name = base if base in BUILT_IN else "default"
    before = load_profile(base_name)
    general = {
        name: value
        for name in ("exchange", "sessions")
        if (value := getattr(profile, name)) != getattr(before, name)
    }
    general |= profile.model_dump(mode="json", include={*ADJUSTMENTS, USUAL_DAY}, exclude_none=True)
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
    """Return the detectors with the parameters that differ; None for a detector that no longer runs."""
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
    """Return a mapping as YAML; an inner mapping without further mappings is written on one line."""
    style = None if any(isinstance(value, dict) for value in content.values()) else False
    text = yaml.safe_dump(content, sort_keys=False, default_flow_style=style, allow_unicode=True, width=4096)
    return _CURVE.sub(_by_hour, text.rstrip("\n"))


def _by_hour(curve: re.Match[str]) -> str:
    """Write the quarters of each hour on a line of their own."""
    indent, entries = curve[1], re.findall(r"(\d\d:\d\d)'?: ([^,]+)", curve[2])
    hours = groupby(entries, key=lambda entry: entry[0][:2])
    lines = [", ".join(f'"{time}": {share}' for time, share in hour) for _, hour in hours]
    return f"{indent}by_quarter_hour: {{\n" + ",\n".join(f"{indent}  {line}" for line in lines) + "}"


def _one_line(text: str) -> str:
    return re.sub(r"[^\x20-\x7e]", "?", text)
