"""Every registered detector keeps the laws, and the check detects detectors that do not."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from services.contracts.detectors import DETECTORS, SIZE, DetectorSpec
from services.detector.detectors.base import Flags
from services.detector.detectors.checks import LawBrokenError, check_detector
from services.detector.detectors.size.high_volume import HighVolume
from services.detector.engine.batch import Batch

EAGER: dict[str, dict[str, Any]] = {
    "off_market_price": {"alert_rarity": 2.0},
    "unusual_size": {"alert_rarity": 1.5},
    "burst": {"alert_rarity": 1.5},
    "isolation_forest": {"refit_trades": 20, "window_trades": 50, "trees": 5, "alert_rarity": 1.5},
    "auction_cross": {"least_ratio": 5.0},
    "round_number_fill": {"least_prints": 0.5},
    "print_storm": {"least_prints": 0.5},
    "odd_lot_flood": {
        "small_shares": 100.0,
        "least_prints": 1.0,
        "least_share": 0.2,
        "least_ratio": 0.0,
    },
    "volume_surge": {
        "least_ratio": 1.01,
        "least_size_ratio": 1.01,
        "slot_s": 2.0,
        "window_s": 2.0,
        "slot_prints": 0.1,
        "noise": 0.0,
        "least_prints": 2.0,
        "least_s": 0.0,
        "learning_s": 5.0,
        "auction_s": 0.0,
        "most_move": 1e6,
    },
    "one_sided_flow": {"least_prints": 2.0, "least_lead": 0.3, "least_s": 0.0},
    "price_ramp": {
        "sample_s": 0.5,
        "least_s": 1.0,
        "least_ratio": 0.0005,
        "usual_moves": 0.5,
        "most_at_once": 1.0,
        "news_s": 0.0,
        "take_back_s": 0.0,
        "least_prints": 1.0,
        "learning_samples": 2.0,
    },
    "marking_the_close": {"window_s": 23_380.0, "least_ratio": 1e-4, "usual_moves": 0.1},
    "matched_pairs": {"least_turns": 1.0, "least_pairs": 1.0},
    "scheduled_burst": {"least_evidence": 0.5, "reaction_s": 9.9, "before_close_s": 23_400.0},
    "fast_market": {
        "learning_s": 0.0,
        "least_pace": 1e-6,
        "least_range": 1e-6,
        "least_move": 1e-9,
        "least_steps": 0.0,
        "most_at_once": 1.0,
        "least_trades": 1e-6,
    },
    "high_volume": {"threshold_shares": 300},
    "rapid_price_change": {"threshold_ratio": 0.001},
    "z_score": {"window_trades": 40, "min_trades": 10, "threshold_sigmas": 2.0},
    "level_z_score": {"window_trades": 40, "min_trades": 10, "threshold_sigmas": 2.0},
    "silence": {"least_s": 0.5, "usual_gaps": 0.2, "longest_gaps": 0.1, "least_gaps": 5},
    "stuck_clock": {"least_turns": 1.0, "usual_turns": 0.1, "least_s": 0.01},
    "stuck_price": {
        "least_s": 1e-6,
        "least_changes": 0.01,
        "longest_runs": 0.0001,
        "moment_s": 1e-9,
        "least_moments": 1,
    },
    "level_shift": {"least_shift": 0.01, "least_prints": 1},
    "mixed_prices": {"least_apart": 0.01, "least_switches": 0.5, "least_prints": 1},
    "repeated_feed": {"window_s": 3.0, "least_evidence": 0.01, "usual_prior": 0.05},
    "clock_ahead": {"least_s": 1e-5, "usual_leads": 1e-3},
    "late_print": {"least_s": 0.0},
    "late_arrival": {"least_s": 1e-9, "usual_delays": 1e-3, "least_prints": 1},
    "column_change": {
        "moment_s": 0.0,
        "learn_moments": 10,
        "least_share": 0.01,
        "least_evidence": 0.5,
        "longest_runs": 1.0,
        "least_moments": 1,
        "least_s": 0.0,
        "traders_s": 0.0,
    },
    "price_history_forest": {"trees": 20, "subsample_trades": 64, "refit_trades": 50, "contamination": 0.1},
    "luld_band": {"tier": 2, "previous_close": 100.0, "leverage": 0.005},
    "clearly_erroneous": {"regular_hours": True, "leverage": 0.01, "new_level_s": 5.0},
    "trained_model": {"model": "trades@champion", "challenger": "trades@challenger", "alert_rarity": 1.0},
}
"""Parameters with which a detector flags enough trades; those that do so by default are not listed."""


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", DETECTORS)
def test_every_registered_detector_keeps_the_laws(
    name: str, seed: int, request: pytest.FixtureRequest
) -> None:
    if name == "trained_model":
        request.getfixturevalue("served_models")
    check_detector(name, EAGER.get(name), seed)


@pytest.mark.parametrize("library", ["scikit-learn", "coniferest"])
def test_the_history_forest_keeps_the_laws_with_trees_of_either_library(library: str) -> None:
    check_detector("price_history_forest", EAGER["price_history_forest"] | {"trees_from": library})


@pytest.mark.parametrize("name", ["volume_surge", "unusual_size"])
def test_a_usual_day_leaves_the_laws(name: str) -> None:
    usual = {"moments": 900.0, "shares": 1e5, "by_quarter_hour": {"09:30": 0.2, "09:45": 0.8}}
    check_detector(name, EAGER[name] | ({"block_ratio": 2.0} if name == "unusual_size" else {}), 1, usual)


class Broken(HighVolume):
    name = "broken"


class LooksAhead(Broken):
    def flag(self, batch: Batch) -> Flags:
        flags = super().flag(batch)
        return flags.only(batch.size[np.minimum(flags.at + 1, len(batch) - 1)] > 100)


class DependsOnBatches(Broken):
    def flag(self, batch: Batch) -> Flags:
        flags = super().flag(batch)
        return flags.only(flags.at % 3 != 0)


class KnowsOtherSymbols(Broken):
    judged = 0

    def flag(self, batch: Batch) -> Flags:
        flags = super().flag(batch)
        number = self.judged + flags.at
        self.judged += len(batch)
        return flags.only(number % 5 != 0)


class Forgets(Broken):
    def save(self, slot: int) -> bytes:
        return bytes(len(super().save(slot)))


class ChangesItsInput(Broken):
    def flag(self, batch: Batch) -> Flags:
        flags = super().flag(batch)
        batch.size[:] = 0
        return flags


class ScoresTooLow(Broken):
    def flag(self, batch: Batch) -> Flags:
        flags = super().flag(batch)
        return replace(flags, score=flags.score - 0.4)


class SharesTooMuch(Broken):
    def flag(self, batch: Batch) -> Flags:
        flags = super().flag(batch)
        return replace(flags, contributions=dict(flags.contributions) | {"luck": np.ones(len(flags.at))})


class NamesNoNumber(Broken):
    def flag(self, batch: Batch) -> Flags:
        flags = super().flag(batch)
        return replace(flags, expected=flags.expected * np.nan)


class Random(Broken):
    def flag(self, batch: Batch) -> Flags:
        flags = super().flag(batch)
        return flags.only(np.random.default_rng().random(len(flags.at)) < 0.5)


@pytest.mark.parametrize(
    ("kind", "law"),
    [
        (LooksAhead, "depends on how trades are cut|if other symbols|looks ahead"),
        (DependsOnBatches, "depends on how trades are cut"),
        (KnowsOtherSymbols, "if other symbols trade too"),
        (Forgets, "gives other results after .* saved and restored"),
        (ChangesItsInput, "changes the size of the batch"),
        (ScoresTooLow, "the score .* is not between 0.5 and 1"),
        (SharesTooMuch, "do not add up to 1"),
        (NamesNoNumber, "are not finite"),
        (Random, "on the same trades again"),
    ],
)
def test_a_broken_law_is_named(kind: type[Broken], law: str, monkeypatch: pytest.MonkeyPatch) -> None:
    register(kind, monkeypatch)
    with pytest.raises(LawBrokenError, match=law):
        check_detector("broken", {"threshold_shares": 100})


def test_a_detector_that_keeps_the_laws_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    register(Broken, monkeypatch)
    check_detector("broken", {"threshold_shares": 100})


def test_a_detector_that_flags_too_few_trades_is_not_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    register(Broken, monkeypatch)
    with pytest.raises(LawBrokenError, match="Give parameters with which it flags more"):
        check_detector("broken", {"threshold_shares": 10**9})


def register(kind: type[Broken], monkeypatch: pytest.MonkeyPatch) -> None:
    code = f"{__name__}:{kind.__name__}"
    monkeypatch.setitem(DETECTORS, "broken", DetectorSpec("broken", "Broken", SIZE, "in shares", code))
