"""Draws prints above and below each threshold, by a seed."""

import datetime as dt
from importlib.metadata import version

import numpy as np

from services.contracts.iso_time import iso_utc
from services.detector.offline.tuning.evidence.candidates import Candidate, Candidates
from services.detector.offline.tuning.evidence.changes import changes
from services.detector.offline.tuning.evidence.document import (
    ABOVE,
    FAR,
    NEAR,
    Evidence,
    Print,
    Sampled,
    Stratum,
)
from services.detector.profiles.profile import Profile


def draw(found: Candidates, before: Profile, profile: Profile, seed: int, samples: int) -> Evidence:
    """Draw samples of each threshold: half of them above the line, a quarter near it, and a quarter farther.

    Parameters
    ----------
    found
        The rare prints of some days by `profile`.
    before
        The profile that it was tuned from.
    profile
        Its alerts are the lines.
    seed
        The same seed draws the same.
    samples
        For each threshold; what a part has too few of is not made up for elsewhere.
    """
    chance = np.random.default_rng(seed)
    thresholds = []
    prints: dict[str, Print] = {}
    for detector, some in found.of_detector.items():
        parts = _parts(some)
        sizes = {ABOVE: samples - samples // 2, NEAR: samples // 2 - samples // 4, FAR: samples // 4}
        strata = []
        for name, own in parts.items():
            drawn = _drawn(chance, own, sizes[name])
            strata.append(Stratum(name, len(own), [one.trade_id for one in drawn]))
            prints |= {one.trade_id: Print(one.trade_id, one.symbol, one.time) for one in drawn}
        thresholds.append(Sampled(detector, strata))
    order = chance.permutation(len(prints))
    all_prints = list(prints.values())
    return Evidence(
        made_at=iso_utc(dt.datetime.now(dt.UTC), "milliseconds"),
        version=version("tapewatch"),
        seed=seed,
        profile=profile.hash,
        profile_name=profile.name,
        before=before.hash,
        days=sorted({day for _, day in found.trades if day}),
        trades=sum(found.trades.values()),
        symbol_days=len(found.trades),
        thresholds=thresholds,
        changes=changes(before, profile),
        prints=[all_prints[at] for at in order.tolist()],
    )


def _parts(some: list[Candidate]) -> dict[str, list[Candidate]]:
    """Cut the rare prints of a detector at its line, and those below it at as many as are above."""
    ranked = sorted(some, key=lambda one: (-one.beyond, one.trade_id))
    above = sum(one.beyond >= 0 for one in ranked)
    # Also where nothing is flagged, something lies near the line.
    near = above + max(above, len(ranked) // 4)
    return {ABOVE: ranked[:above], NEAR: ranked[above:near], FAR: ranked[near:]}


def _drawn(chance: np.random.Generator, some: list[Candidate], count: int) -> list[Candidate]:
    if not some:
        return []
    places = chance.choice(len(some), min(count, len(some)), replace=False)
    return [some[place] for place in places.tolist()]
