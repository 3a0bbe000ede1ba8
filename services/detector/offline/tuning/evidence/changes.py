"""What changed from one profile to another, in words."""

from collections.abc import Collection
from typing import Any

from services.contracts.detectors import DETECTORS
from services.detector.detectors.core.explain import once_in
from services.detector.profiles.profile import USUAL_DAY, Profile

_ALERT = "alert_rarity"
_PRIORS = "_prior"


def changes(before: Profile, after: Profile) -> list[str]:
    """Return a sentence for each change; one that says so if there is none.

    What only starts a session's learning (priors) is counted, not listed.
    """
    found = [
        f"{name} is now {getattr(after, name)}, not {getattr(before, name)}."
        for name in ("exchange", "sessions")
        if getattr(before, name) != getattr(after, name)
    ]
    general = _of_symbol("", before.detectors.model_dump(), after.detectors.model_dump())
    found += general
    for symbol in sorted({*before.symbols, *after.symbols}):
        found += _of_symbol(
            f"{symbol}: ",
            before.for_symbol(symbol).model_dump(),
            after.for_symbol(symbol).model_dump(),
            known=general,  # not said again of each
        )
        if before.usual_day_of(symbol) != after.usual_day_of(symbol):
            found.append(f"{symbol}: its usual day was measured anew.")
    for what, old, new in (
        ("Lines that hold detections back", before.suppress, after.suppress),
        ("Entries of the calendar", before.calendar, after.calendar),
    ):
        if old != new:
            found.append(f"{what}: {len(old)} before, {len(new)} now.")
    if before.usual_day != after.usual_day:
        found.append("The usual day of all symbols was measured anew.")
    return found or ["Nothing changed."]


def _of_symbol(
    start: str, before: dict[str, Any], after: dict[str, Any], known: Collection[str] = ()
) -> list[str]:
    found = []
    for name in dict.fromkeys((*before, *after)):
        title = DETECTORS[name].title if name in DETECTORS else name
        if name == USUAL_DAY:
            continue
        old, new = before.get(name), after.get(name)
        if old is None or new is None:
            if old != new:
                found.append(f"{title} {'runs now' if old is None else 'no longer runs'}.")
            continue
        found += _of_detector(title, old, new)
    return [f"{start}{one}" for one in found if one not in known]


def _of_detector(title: str, old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    changed = [name for name in new if old.get(name) != new[name]]
    priors = [name for name in changed if name.endswith(_PRIORS) or name == "clusters"]
    found = []
    for name in changed:
        if name in priors:
            continue
        if name == _ALERT:
            fewer = "fewer" if new[name] > old[name] else "more"
            found.append(
                f"{title} flags what occurs {once_in(new[name])}, not {once_in(old[name])}: {fewer} alerts "
                f"(level {old[name]:g} to {new[name]:g})."
            )
        else:
            found.append(f"{title}: {name} is {new[name]}, not {old.get(name)}.")
    if priors:
        found.append(f"{title} starts from {len(priors)} other value{'s' * (len(priors) != 1)} each morning.")
    return found
