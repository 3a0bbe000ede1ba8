"""An engine restored from saved sessions gives the same results as an uninterrupted one, to the last bit."""

import dataclasses
from collections.abc import Callable
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.detector.detectors.checks import session_trades
from services.detector.detectors.multivariate.isolation_forest import IsolationForestParameters
from services.detector.engine import sessions
from services.detector.engine.batch import SessionKey
from services.detector.engine.columns import TradeColumns
from services.detector.engine.engine import Engine
from services.detector.engine.state import Changes, SessionState
from services.detector.live.checkpoint import SessionCheckpoint, decode, encode
from services.detector.profiles.profile import Profile, load_profile
from tests.unit.services.detector.streams import (
    EVERYTHING,
    OWN_PARAMETERS,
    WITHOUT_RULES,
    anomalies,
    batches,
    open_sessions,
    stream,
)

SYMBOLS = ("AAA", "B@B", "CCC")
profiles = pytest.mark.parametrize("profile", [WITHOUT_RULES, EVERYTHING, OWN_PARAMETERS])


def through_bytes(state: SessionState) -> SessionState:
    """Return the documents as a reader of the topic gets them."""
    read = decode(encode(SessionCheckpoint(0, "profile", "layout", 0, state)))
    assert isinstance(read, SessionCheckpoint)
    return read.state


def restored(profile: Profile, states: list[SessionState]) -> Engine:
    engine = Engine(profile)
    for state in states:
        engine.restore(through_bytes(state))
    return engine


@profiles
@settings(max_examples=10, deadline=None)
@given(random=st.randoms(use_true_random=True), cut_share=st.floats(0, 1), batch_trades=st.integers(1, 400))
def test_engine_resumes_from_a_save_anywhere(
    profile: Profile, random: Random, cut_share: float, batch_trades: int
) -> None:
    trades = stream(random, SYMBOLS, days=2, trades=60, late_share=0.1)
    cut = round(cut_share * len(trades))
    undisturbed = Engine(profile)
    anomalies(undisturbed, trades, range(cut))
    states = [undisturbed.save(session) for session in open_sessions(undisturbed)]
    random.shuffle(states)
    engine = restored(profile, states)
    rest = anomalies(undisturbed, trades, range(cut, len(trades)))
    assert [
        found
        for places in batches(cut, len(trades), batch_trades)
        for found in anomalies(engine, trades, places)
    ] == rest
    for session in engine.take_changes().touched:
        assert engine.save(session).detectors == undisturbed.save(session).detectors


def test_the_streams_have_anomalies_of_every_detector() -> None:
    trades = stream(Random(1), SYMBOLS, days=2, trades=60, late_share=0.1)  # noqa: S311
    found = "".join(text for _, text in anomalies(Engine(EVERYTHING), trades, range(len(trades))))
    running = EVERYTHING.detectors.running
    assert [name for name in running if f"detector='{name}'" not in found] == []


class Saver:
    """Saves symbols from time to time, as the live detector does: all changes of a symbol together."""

    def __init__(self) -> None:
        self.states: dict[SessionKey, SessionState] = {}
        self.offsets: dict[str, int] = {}
        self._touched: set[SessionKey] = set()
        self._dropped: set[SessionKey] = set()

    def note(self, changes: Changes) -> None:
        self._touched = (self._touched | set(changes.touched)) - set(changes.dropped)
        self._dropped = (self._dropped | set(changes.dropped)) - set(changes.touched)

    def save(self, engine: Engine, symbol: str, offset: int) -> None:
        for session in [one for one in self._dropped if one.symbol == symbol]:
            self.states.pop(session, None)
            self._dropped.remove(session)
        for session in [one for one in self._touched if one.symbol == symbol]:
            self.states[session] = engine.save(session)
            self._touched.remove(session)
            self.offsets[symbol] = offset

    def restarted(self) -> "Saver":
        """Return one that knows only what was written."""
        fresh = Saver()
        fresh.states, fresh.offsets = dict(self.states), dict(self.offsets)
        return fresh

    def replayed(self, trades: TradeColumns, until: int) -> list[int]:
        return [at for at in range(until) if at >= self.offsets.get(trades.symbol[at], 0)]


@settings(max_examples=8, deadline=None)
@given(
    random=st.randoms(use_true_random=True),
    sessions_kept=st.integers(2, 5),
    batch_trades=st.integers(15, 150),
    share_saved=st.floats(0.05, 1),
    stops=st.lists(st.integers(0, 500), min_size=1, max_size=3),
)
def test_sessions_saved_at_different_times_meet_again_after_a_replay(
    random: Random, sessions_kept: int, batch_trades: int, share_saved: float, stops: list[int]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sessions, "SESSIONS_KEPT", sessions_kept)
        trades = stream(random, SYMBOLS, days=4, trades=40, late_share=0.15)
        expected = anomalies(Engine(OWN_PARAMETERS), trades, range(len(trades)))
        saver = Saver()
        engine = Engine(OWN_PARAMETERS)
        found: list[tuple[int, str]] = []
        committed = 0
        for stop in [*sorted(stops), len(trades)]:
            for places in batches(committed, stop, batch_trades):
                found += anomalies(engine, trades, places)
                saver.note(engine.take_changes())
                for symbol in SYMBOLS:
                    if random.random() < share_saved:
                        saver.save(engine, symbol, places.stop)
            committed = max(committed, stop)
            states = list(saver.states.values())
            random.shuffle(states)
            engine = restored(OWN_PARAMETERS, states)
            saver = saver.restarted()
            replayed = saver.replayed(trades, committed)
            again = set(replayed)
            assert anomalies(engine, trades, replayed) == [one for one in found if one[0] in again]
            saver.note(engine.take_changes())
        assert found == expected


LONG = load_profile(None).model_copy(
    update={
        "detectors": load_profile(None).detectors.replaced(
            isolation_forest=IsolationForestParameters(alert_rarity=1.5)
        )
    }
)


def test_forests_are_fitted_again_from_the_rows_at_every_trade_count() -> None:
    trades = session_trades("AAA", 0, 6_200, seed=3)
    gaps_ns = np.diff(trades.event_ns, prepend=trades.event_ns[0])
    gaps_ns[3200:3900] = 20_000  # more distinct times within a burst's window than are kept
    trades.event_ns[:] = trades.event_ns[0] + np.cumsum(gaps_ns)
    expected = anomalies(Engine(LONG), trades, range(len(trades)))
    assert sum("detector='isolation_forest'" in text for _, text in expected) > 50
    undisturbed = Engine(LONG)
    done = 0
    for cut in (
        1,
        999,
        1000,
        1001,
        1999,
        2000,
        2001,
        3000,
        3850,
        3999,
        4095,
        4096,
        4097,
        5000,
        5999,
        6000,
        6001,
    ):
        anomalies(undisturbed, trades, range(done, cut))
        done = cut
        engine = restored(LONG, [undisturbed.save(SessionKey("AAA", "2024-12-02"))])
        assert anomalies(engine, trades, range(cut, len(trades))) == [
            one for one in expected if one[0] >= cut
        ]


def test_endless_sessions_are_restored() -> None:
    profile = EVERYTHING.model_copy(update={"sessions": "endless"})
    trades = stream(Random(1), ["AAA"], days=1, trades=80, late_share=0)  # noqa: S311
    undisturbed = Engine(profile)
    anomalies(undisturbed, trades, range(40))
    [session] = open_sessions(undisturbed)
    assert session == SessionKey("AAA", "")
    engine = restored(profile, [undisturbed.save(session)])
    assert anomalies(engine, trades, range(40, 80)) == anomalies(undisturbed, trades, range(40, 80))


def test_late_trades_stay_late_after_a_restore() -> None:
    trades = session_trades("AAA", 0, 50, seed=1)
    engine = Engine(EVERYTHING)
    anomalies(engine, trades, range(50))
    again = restored(EVERYTHING, [engine.save(SessionKey("AAA", "2024-12-02"))])
    assert anomalies(again, trades, range(50)) == []
    assert again.out_of_order.unjudged == 50


def test_parameters_come_from_the_profile_and_not_from_the_bytes() -> None:
    rules = {
        "high_volume": {"threshold_shares": 10},
        "rapid_price_change": {"threshold_ratio": 0.01},
        "z_score": {"min_trades": 2, "threshold_sigmas": 0.1},
        "unusual_size": {"alert_rarity": 0.5},
    }
    numb = {
        "high_volume": {"threshold_shares": 10**9},
        "rapid_price_change": {"threshold_ratio": 1e6},
        "z_score": {"threshold_sigmas": 1e6},
        "unusual_size": {"alert_rarity": 1e6},
    }
    trades = session_trades("AAA", 0, 60, seed=1)
    engine = Engine(Profile.model_validate({"detectors": rules}))
    assert anomalies(engine, trades, range(40))
    again = restored(
        Profile.model_validate({"detectors": numb}), [engine.save(SessionKey("AAA", "2024-12-02"))]
    )
    assert anomalies(again, trades, range(40, 60)) == []


def test_shared_state_is_saved_once() -> None:
    engine = Engine(Profile.model_validate({"detectors": {"off_market_price": {}, "burst": {}}}))
    anomalies(engine, session_trades("AAA", 0, 10, seed=1), range(10))
    assert list(engine.save(SessionKey("AAA", "2024-12-02")).detectors) == ["tape"]


def saved() -> SessionState:
    engine = Engine(EVERYTHING)
    anomalies(engine, session_trades("AAA", 0, 90, seed=1), range(90))
    return engine.save(SessionKey("AAA", "2024-12-02"))


@pytest.mark.parametrize("name", ["tape", "high_volume", "rapid_price_change", "z_score"])
@pytest.mark.parametrize("change", [lambda b: b[:-1], lambda b: b + b"\0", lambda _b: b"", lambda b: b + b])
def test_bytes_of_another_length_are_rejected(name: str, change: Callable[[bytes], bytes]) -> None:
    state = saved()
    wrong = dataclasses.replace(state, detectors=state.detectors | {name: change(state.detectors[name])})
    with pytest.raises(ValueError, match=f"the saved state of {name} cannot be read: it has"):
        Engine(EVERYTHING).restore(wrong)


@pytest.mark.parametrize(
    ("name", "first_bytes", "reason"),
    [
        ("tape", np.int64(-1).tobytes(), "it is of -1 trades"),
        ("z_score", bytes(8) + np.array([-1, 0], np.int64).tobytes(), "its windows are not of 40 trades"),
        ("z_score", bytes(8) + np.array([41, 0], np.int64).tobytes(), "its windows are not of 40 trades"),
        ("z_score", bytes(8) + np.array([40, 40], np.int64).tobytes(), "its windows are not of 40 trades"),
    ],
)
def test_impossible_counts_are_rejected(name: str, first_bytes: bytes, reason: str) -> None:
    state = saved()
    wrong = first_bytes + state.detectors[name][len(first_bytes) :]
    with pytest.raises(ValueError, match=reason):
        Engine(EVERYTHING).restore(dataclasses.replace(state, detectors=state.detectors | {name: wrong}))


def test_state_of_other_detectors_is_rejected() -> None:
    state = saved()
    some = {name: value for name, value in state.detectors.items() if name != "tape"}
    with pytest.raises(ValueError, match="state of high_volume, rapid_price_change, z_score was saved"):
        Engine(EVERYTHING).restore(dataclasses.replace(state, detectors=some))
    with pytest.raises(ValueError, match=r"was saved, not of .*tape"):
        Engine(load_profile(None)).restore(state)


@pytest.mark.parametrize("day", ["", "2024-12-32", "20241202", "2024-W49-1", "yesterday"])
def test_invalid_days_are_rejected(day: str) -> None:
    with pytest.raises(ValueError, match=r"day|iso|month"):
        Engine(EVERYTHING).restore(dataclasses.replace(saved(), session=SessionKey("AAA", day)))


def test_a_day_does_not_fit_endless_sessions() -> None:
    with pytest.raises(ValueError, match="'2024-12-02' is not the day of a session here"):
        Engine(EVERYTHING.model_copy(update={"sessions": "endless"})).restore(saved())


def test_a_session_is_restored_once() -> None:
    with pytest.raises(ValueError, match="the session AAA@2024-12-02 is already open"):
        restored(EVERYTHING, [saved(), saved()])


def test_a_session_that_is_not_open_is_not_saved() -> None:
    engine = Engine(EVERYTHING)
    anomalies(engine, session_trades("AAA", 0, 5, seed=1), range(5))
    for session in (SessionKey("AAA", "2024-12-03"), SessionKey("BBB", "2024-12-02")):
        with pytest.raises(KeyError):
            engine.save(session)


def test_only_profiles_of_bounded_state_are_checkpointable() -> None:
    assert Engine(load_profile(None)).checkpointable
    assert Engine(EVERYTHING).checkpointable
    classic = Engine(load_profile("classic"))
    assert not classic.checkpointable
    with pytest.raises(ValueError, match="cannot be saved"):
        classic.save(SessionKey("AAA", ""))
    with pytest.raises(ValueError, match="cannot be saved"):
        classic.restore(saved())


def test_state_schema_differs_by_state_but_not_by_parameters() -> None:
    schema = Engine(EVERYTHING).state_schema
    assert Engine(OWN_PARAMETERS).state_schema == schema
    assert (
        len({schema, Engine(WITHOUT_RULES).state_schema, Engine(load_profile("classic")).state_schema}) == 3
    )


def test_layout_differs_by_version(monkeypatch: pytest.MonkeyPatch) -> None:
    schema = Engine(EVERYTHING).state_schema
    monkeypatch.setattr("services.detector.engine.engine._STATE_VERSION", 1_000_000)
    assert Engine(EVERYTHING).state_schema != schema


def test_changes_are_what_was_given_a_trade_since() -> None:
    engine = Engine(EVERYTHING)
    first, second = session_trades("AAA", 0, 5, seed=1), session_trades("BBB", 1, 5, seed=1)
    anomalies(engine, first, range(5))
    anomalies(engine, second, range(5))
    a, b = SessionKey("AAA", "2024-12-02"), SessionKey("BBB", "2024-12-03")
    assert engine.take_changes() == Changes([a, b], [])
    assert engine.take_changes() == Changes([], [])
    anomalies(engine, first, [0])  # a late one
    assert engine.take_changes() == Changes([a], [])
    again = restored(EVERYTHING, [engine.save(a), engine.save(b)])
    assert again.take_changes() == Changes([], [])


def test_dropped_sessions_are_reported_unless_they_are_open_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "SESSIONS_KEPT", 2)
    days = [session_trades("AAA", day, 5, seed=1) for day in range(3)]
    keys = [SessionKey("AAA", f"2024-12-0{2 + day}") for day in range(3)]
    engine = Engine(EVERYTHING)
    for day in days:
        anomalies(engine, day, range(5))
    changes = engine.take_changes()
    assert changes.dropped == [keys[0]]
    assert sorted(changes.touched, key=str) == keys[1:]
    assert engine.take_changes() == Changes([], [])
    anomalies(engine, days[0], range(5))
    assert engine.take_changes() == Changes([keys[0]], [keys[1]])
    anomalies(engine, days[1], range(5))
    anomalies(engine, days[2], range(5))
    changes = engine.take_changes()
    assert changes.dropped == [keys[0]]
    assert sorted(changes.touched, key=str) == keys[1:]


def test_of_too_many_saved_sessions_those_seen_least_lately_are_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = Engine(EVERYTHING)
    for day in range(4):
        anomalies(engine, session_trades("AAA", day, 5, seed=1), range(5))
    keys = open_sessions(engine)
    states = [engine.save(key) for key in keys]
    monkeypatch.setattr(sessions, "SESSIONS_KEPT", 2)
    again = restored(EVERYTHING, [states[place] for place in (2, 0, 3, 1)])
    assert again.take_changes() == Changes([], [keys[0], keys[1]])
    assert again.save(keys[2]) == states[2]
    assert again.save(keys[3]) == states[3]
