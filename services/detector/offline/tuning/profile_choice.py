"""Lists the profiles to start tuning from, and formats a profile with chosen thresholds."""

import re
from pathlib import Path

from services.common.errors import TapewatchError
from services.detector.profiles.profile import BUILT_IN, Profile, built_in_profile, load_profile
from services.detector.profiles.write import profile_text

__all__ = ["Profile", "configuration", "load_profile", "profile_names", "profile_of", "tuned_profile"]

_PROFILE_KEY = re.compile(r"^(detectors|symbols|base)\s*:", re.MULTILINE)
_LARGEST_PROFILE_BYTES = 5_000_000


def profile_names(folder: Path) -> list[str]:
    """Return the built-in profiles, and the names of the files in a folder that look like profiles."""
    built_in = sorted(BUILT_IN, key=lambda name: name != "default")
    return [*built_in, *(path.name for path in _profile_files(folder))]


def profile_of(hash_: str, folder: Path) -> Profile | None:
    """Return the profile with this hash among those of `profile_names`; None if it is none of them."""
    built_in = built_in_profile(hash_)
    if built_in is not None:
        return built_in
    for path in _profile_files(folder):
        try:
            profile = load_profile(path)
        except TapewatchError:  # another program's file
            continue
        if profile.hash == hash_:
            return profile
    return None


def _profile_files(folder: Path) -> list[Path]:
    found = sorted(path for pattern in ("*.yaml", "*.yml") for path in folder.glob(pattern))
    return [path for path in found if _is_profile(path)]


def _is_profile(path: Path) -> bool:
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST_PROFILE_BYTES:
            return False
        return _PROFILE_KEY.search(path.read_text(encoding="utf-8")) is not None
    except (OSError, UnicodeDecodeError):
        return False


def configuration(
    profile: Profile,
    source: str,
    symbol: str,
    chosen: dict[str, dict[str, float] | None],
    comments: list[str],
) -> str:
    """Return a profile with the thresholds chosen for a symbol, as YAML that `load_profile` reads.

    Parameters
    ----------
    profile
        The profile to start from.
    source
        The name it was loaded by.
    symbol
        Symbol that the thresholds are for; other symbols keep theirs.
    chosen
        For each detector, the parameters to set; None for a detector that should not run.
    comments
        Comment lines for the top.
    """
    return profile_text(tuned_profile(profile, symbol, chosen), source, comments, {})


def tuned_profile(profile: Profile, symbol: str, chosen: dict[str, dict[str, float] | None]) -> Profile:
    """Return the profile whose text is the `configuration` of the same choices."""
    symbols = {name: dict(own) for name, own in profile.symbols.items()}
    own = symbols.setdefault(symbol, {})
    for detector, parameters in chosen.items():
        own[detector] = None if parameters is None else {**(own.get(detector) or {}), **parameters}
    return profile.model_copy(update={"name": "tuned", "symbols": symbols})
