"""A profile with lower thresholds: what a pattern of many prints lacked to be flagged."""

from math import ceil

from services.detector.detectors.parameters import Parameters
from services.detector.profiles.profile import USUAL_DAY, Profile

SHARES = (0.9, 0.75, 0.5, 0.25)
"""Shares of the thresholds that are tried, the nearest to the real ones first."""

_LEAST = ("least_", "always_", "threshold_")
"""What the names of parameters begin with that something has to reach; a prior is none of them."""


def eased(profile: Profile, symbol: str, share: float) -> Profile:
    """Return a profile in which all that a symbol's detectors ask for is this share of it."""
    detectors = profile.for_symbol(symbol)
    lower = {name: _eased(parameters, share) for name, parameters in detectors.running.items()}
    usual = profile.symbols.get(symbol, {}).get(USUAL_DAY)
    return profile.model_copy(
        update={
            "detectors": detectors.replaced(**lower),
            "symbols": {} if usual is None else {symbol: {USUAL_DAY: usual}},
        }
    )


def _eased(parameters: Parameters, share: float) -> Parameters:
    numbers = {
        name: value
        for name, value in parameters
        if name.startswith(_LEAST)
        and not name.endswith("_prior")
        and isinstance(value, int | float)
        and not isinstance(value, bool)
    }
    return parameters.model_copy(
        update={
            name: ceil(value * share) if isinstance(value, int) else value * share
            for name, value in numbers.items()
        }
    )
