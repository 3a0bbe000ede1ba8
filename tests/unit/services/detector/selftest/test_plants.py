"""Every registered detector has a plant that fires in an ordinary session, or says why it has none."""

from dataclasses import replace

import pytest

from services.contracts.detectors import DETECTORS
from services.detector.profiles.profile import load_profile
from services.detector.selftest.plant import LIVE_MOST_PRINTS, NotNowError
from services.detector.selftest.registry import PLANTS
from services.detector.selftest.trial import Outcome, attempt
from tests.unit.services.detector.selftest.scenes import EVERY, NOON, shadow, with_profile, young

LIVE = [name for name, plant in PLANTS.items() if plant.is_live]


def test_every_detector_has_a_plant_and_what_is_not_planted_live_says_why() -> None:
    assert PLANTS.keys() == DETECTORS.keys()
    for name, plant in PLANTS.items():
        assert plant.detector == name
        assert plant.is_live == (not plant.why_not_live), name


@pytest.mark.parametrize("name", [name for name in PLANTS if name in EVERY.detectors.running])
def test_a_planted_anomaly_fires_in_an_ordinary_session(name: str) -> None:
    trial = attempt(PLANTS[name], shadow())
    assert trial.outcome is Outcome.FIRED, trial
    assert trial.prints
    assert trial.note


def test_the_isolation_forest_fires() -> None:
    detectors = load_profile().detectors.replaced(isolation_forest={})  # type: ignore[arg-type]
    shadow_of_noon = with_profile(load_profile().model_copy(update={"detectors": detectors}))
    assert attempt(PLANTS["isolation_forest"], shadow_of_noon).outcome is Outcome.FIRED


def test_the_forest_on_the_price_history_fires_in_a_session_of_its_own() -> None:
    assert (
        attempt(PLANTS["price_history_forest"], with_profile(load_profile("classic"))).outcome
        is Outcome.FIRED
    )


@pytest.mark.parametrize("name", LIVE)
def test_at_most_five_hundred_prints_show_what_is_planted_live(name: str) -> None:
    for prints in PLANTS[name].tries(shadow().scene):
        assert 0 < len(prints) <= LIVE_MOST_PRINTS


@pytest.mark.parametrize("name", list(PLANTS))
def test_a_plant_gives_the_same_prints_each_time_all_of_the_session_with_ids_of_their_own(name: str) -> None:
    scene = shadow().scene
    first = list(PLANTS[name].tries(scene))
    assert first == list(PLANTS[name].tries(scene))
    for prints in first:
        assert len({trade.trade_id for trade in prints}) == len(prints)
        assert {trade.symbol for trade in prints} == {scene.session.symbol}
        assert all(trade.trade_id.startswith("selftest-") for trade in prints)


@pytest.mark.parametrize("name", list(PLANTS))
def test_a_session_of_a_few_prints_is_waited_for(name: str) -> None:
    trial = attempt(PLANTS[name], young(3))
    assert trial.outcome is Outcome.WAITING
    assert "3 prints" in trial.note


def test_what_needs_an_auction_waits_for_a_day_that_has_one() -> None:
    without = replace(shadow().scene, opening_ns=0, closing_ns=0)
    for name in ("auction_cross", "scheduled_burst", "marking_the_close", "luld_band"):
        with pytest.raises(NotNowError, match=r"auction|regular hours"):
            PLANTS[name].prints(without)


def test_after_the_close_nothing_is_planted_that_belongs_before_it() -> None:
    evening = shadow(until=NOON.replace("17:00", "22:30"))
    for name in ("auction_cross", "marking_the_close", "silence"):
        assert attempt(PLANTS[name], evening).outcome is Outcome.WAITING
    assert attempt(PLANTS["off_market_price"], evening).outcome is Outcome.FIRED
