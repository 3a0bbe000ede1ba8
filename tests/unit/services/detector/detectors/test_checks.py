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
    "high_volume": {"threshold_shares": 300},
    "rapid_price_change": {"threshold_ratio": 0.001},
    "z_score": {"window_trades": 40, "min_trades": 10, "threshold_sigmas": 2.0},
    "price_history_forest": {"trees": 20, "subsample_trades": 64, "refit_trades": 50, "contamination": 0.1},
}
"""Parameters with which a detector flags enough trades; those that do so by default are not listed."""


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", DETECTORS)
def test_every_registered_detector_keeps_the_laws(name: str, seed: int) -> None:
    check_detector(name, EAGER.get(name), seed)


@pytest.mark.parametrize("library", ["scikit-learn", "coniferest"])
def test_the_history_forest_keeps_the_laws_with_trees_of_either_library(library: str) -> None:
    check_detector("price_history_forest", EAGER["price_history_forest"] | {"trees_from": library})


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
