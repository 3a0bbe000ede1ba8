"""Mutants of the profile: thresholds that nothing reaches, what is switched off, and another profile."""

from dataclasses import replace
from typing import Any

from services.contracts.detectors import DETECTORS
from services.detector.profiles.profile import Profile, load_profile
from services.detector.profiles.suppress import Suppress
from tests.mutants.base import Mutant
from tests.mutants.rig import Setup


def with_parameters(profile: Profile, detector: str, **changed: Any) -> Profile:
    """Return a profile in which a detector has other parameters."""
    own = profile.detectors.running[detector].model_dump() | changed
    return Profile.model_validate(
        profile.model_dump() | {"detectors": {**profile.detectors.model_dump(), detector: own}}
    )


def times(factor: float, detector: str, *names: str) -> Mutant:
    """Return the mutant in which parameters of a detector are so many times as large."""

    def setup(usual: Setup) -> Setup:
        own = usual.profile.detectors.running[detector].model_dump()
        return replace(
            usual,
            profile=with_parameters(usual.profile, detector, **{name: own[name] * factor for name in names}),
        )

    title = DETECTORS[detector].title
    return Mutant(
        f"{detector}_times_{factor:g}",
        f"{title}: `{'`, `'.join(names)}` of the profile times {factor:g}",
        detector,
        setup,
    )


def another_profile(usual: Setup) -> Setup:
    return replace(usual, profile=load_profile("crypto"), meant=usual.profile)


def switched_off(usual: Setup) -> Setup:
    off = usual.profile.detectors.replaced(matched_pairs=None)
    return replace(usual, profile=usual.profile.model_copy(update={"detectors": off}), meant=usual.profile)


def all_held_back(usual: Setup) -> Setup:
    lines = (Suppress(label="Off-Market Price", below_distance=1e9),)
    return replace(usual, profile=usual.profile.model_copy(update={"suppress": lines}))


MUTANTS = (
    times(100, "off_market_price", "alert_rarity"),
    times(100, "unusual_size", "alert_rarity", "block_ratio", "block_notional"),
    times(100, "burst", "alert_rarity"),
    times(100, "print_storm", "least_prints"),
    times(100, "one_sided_flow", "least_s", "least_prints"),
    times(100, "price_ramp", "least_ratio"),
    Mutant(
        "another_profile", "another profile runs than the one that is meant to", "profile", another_profile
    ),
    Mutant("switched_off", "Matched Pairs is switched off in the profile", "profile", switched_off),
    Mutant(
        "all_held_back",
        "a line of `suppress` holds back every Off-Market Price",
        "off_market_price",
        all_held_back,
    ),
)
