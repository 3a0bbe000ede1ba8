from contextlib import AbstractContextManager

import pytest

from services.detector.engine.engine import Engine
from services.detector.profiles.calendar import CalendarEvent
from services.detector.profiles.profile import load_profile
from services.detector.profiles.suppress import Suppress
from services.detector.selftest.echo import differences
from services.detector.selftest.registry import PLANTS
from services.detector.selftest.trial import Outcome, attempt
from tests.mutants import engine as mutants
from tests.mutants.rig import DAY, day
from tests.unit.services.detector.selftest.scenes import with_profile

PRICE = PLANTS["off_market_price"]


def test_a_line_of_suppress_that_holds_a_plain_anomaly_back_is_a_failure_and_a_planned_day_is_none() -> None:
    line = Suppress(label="Off-Market Price", below_distance=1e9)
    held = attempt(PRICE, with_profile(load_profile().model_copy(update={"suppress": (line,)})))
    assert held.outcome is Outcome.HELD_BACK
    assert "Off-Market Price below" in held.note
    event = CalendarEvent.model_validate({"name": "index day", "day": DAY, "skip": True})
    planned = attempt(PRICE, with_profile(load_profile().model_copy(update={"calendar": (event,)})))
    assert planned.outcome is Outcome.WAITING
    assert "index day" in planned.note


def test_another_value_than_the_planted_one_is_a_failure() -> None:
    shadow = with_profile(load_profile())
    scaled: AbstractContextManager[None] = mutants.read_as(mutants.prices_times_100, *mutants.EVERYWHERE)()
    with scaled:
        trial = attempt(PRICE, shadow)
    assert trial.outcome is Outcome.WRONG_VALUE
    assert "and it says" in trial.note


def test_a_detector_that_judges_none_of_a_symbols_trades_waits() -> None:
    detectors = load_profile().detectors.replaced(luld_band={})  # type: ignore[arg-type]
    trial = attempt(
        PLANTS["luld_band"], with_profile(load_profile().model_copy(update={"detectors": detectors}))
    )
    assert trial.outcome is Outcome.WAITING
    assert "does not judge ACME" in trial.note


def test_rules_are_tried_in_a_new_session_where_a_state_cannot_be_copied() -> None:
    shadow = with_profile(load_profile("classic"))
    assert shadow.state is None
    for name in ("high_volume", "rapid_price_change"):
        assert attempt(PLANTS[name], shadow).outcome is Outcome.FIRED


@pytest.mark.parametrize("lost", [0, 1])
def test_a_print_that_was_not_judged_shows_in_the_state(lost: int) -> None:
    trades = [trade for trade in day() if trade.symbol == "ACME"][:600]
    engine = Engine(load_profile())
    engine.detect(trades[:500])
    session = with_profile(load_profile()).scene.session
    before = engine.save(session)
    engine.detect(trades[500 : 600 - lost])
    found = differences(load_profile(), before, trades[500:], engine.save(session))
    assert bool(found) == bool(lost)
