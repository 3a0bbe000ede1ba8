"""What is told of the expected, against what the detectors say of the same trades."""

import datetime as dt
import math
from itertools import pairwise

import numpy as np
import pytest

from services.contracts.anomaly import Anomaly
from services.detector.detectors.checks import joined, part, session_trades
from services.detector.detectors.core.tail import ALERT
from services.detector.detectors.patterns.volume_surge import VolumeSurgeParameters
from services.detector.engine.columns import TradeColumns
from services.detector.engine.engine import Engine
from services.detector.offline.decode import decode_chunk
from services.detector.offline.expected.moments import COMPARING, MOMENTS, Expectations
from services.detector.profiles.profile import Profile, load_profile
from services.sources.files import open_sources
from services.sources.synthetic.day import DayConfig, write_day
from services.sources.synthetic.trades import symbol_name

SYMBOL = symbol_name(0)
SURGE = VolumeSurgeParameters()
QUIET_TRADES = 300
"""So many come before the first flood, of which most are not learnt from."""


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> TradeColumns:
    """A generated day of one symbol, with injected anomalies and a busy stretch."""
    folder = tmp_path_factory.mktemp("day")
    config = DayConfig(date=dt.date(2026, 3, 2), trades=40_000, symbols=1, anomaly_rate=0.002)
    write_day(config, folder / "day.csv", folder / "labels.csv")
    [source] = open_sources([str(folder / "day.csv")])
    return joined([decode_chunk(source, chunk, "America/New_York").columns for chunk in source.chunks()])


def moments_of(columns: TradeColumns, profile: Profile, cuts: tuple[int, ...] = ()) -> np.ndarray:
    expectations = Expectations(profile, columns.symbol[0])
    edges = [0, *cuts, len(columns)]
    pieces = [columns[start:stop] for start, stop in pairwise(edges)]
    return np.concatenate([expectations.add(piece) for piece in pieces])


def first_anomalies(columns: TradeColumns, profile: Profile) -> list[tuple[int, Anomaly]]:
    """Return each anomaly as it was first told, with its trade's place."""
    found = Engine(profile).detect_columns(columns)
    return [(at, anomaly) for at, anomaly, _ in found if anomaly.is_first]


def test_at_an_anomaly_the_expected_is_what_its_detections_say(day: TradeColumns) -> None:
    profile = load_profile("default")
    moments = moments_of(day, profile)
    assert len(moments) == len(day)
    told = dict.fromkeys(COMPARING, 0)
    for at, anomaly in first_anomalies(day, profile):
        moment = moments[at]
        for one in anomaly.detections:
            told[one.detector] = told.get(one.detector, 0) + 1
            if one.detector == "off_market_price":
                edge = "highest" if one.value > one.expected else "lowest"
                assert one.threshold == moment[edge]
                assert (anomaly.features["price_low"], anomaly.features["price_high"]) == (
                    moment["low"],
                    moment["high"],
                )
                assert moment["price_evidence"] >= ALERT
            if one.detector == "unusual_size":
                assert (one.value, one.expected, one.threshold) == (
                    moment["size"],
                    moment["usual_size"],
                    moment["size_limit"],
                )
                assert moment["size_evidence"] >= ALERT
            if one.detector == "volume_surge":
                assert moment["rate_ratio"] == anomaly.features["rate_ratio"]
    assert told["off_market_price"] > 20
    assert told["unusual_size"] > 10


def test_what_is_not_flagged_is_within_its_limits_and_what_is_flagged_is_beyond(day: TradeColumns) -> None:
    moments = moments_of(day, load_profile("default"))
    flagged = moments["price_evidence"] >= ALERT
    beyond = (day.price > moments["highest"]) | (day.price < moments["lowest"])
    # A price off the grid, or with swapped cents, is flagged for that.
    assert flagged.sum() > 20
    assert (beyond & flagged).sum() > 0.9 * flagged.sum()
    # One that follows another is a new level, or its return.
    assert (beyond & ~flagged).sum() < 0.2 * flagged.sum()
    flagged = moments["size_evidence"] >= ALERT
    beyond = moments["size"] > moments["size_limit"] * (1 + 1e-9)
    assert flagged.sum() > 10
    assert (beyond == flagged)[np.isfinite(moments["size"])].mean() > 0.9999


def test_the_recent_prices_and_the_usual_size_are_those_of_a_recount(day: TradeColumns) -> None:
    moments = moments_of(day, load_profile("default"))
    mean200 = mean1000 = 150.0
    spaced: list[tuple[int, float]] = [(int(day.event_ns[0]), float(day.price[0]))]
    equal = 0
    for at in range(3_000):
        moment, now_ns = moments[at], int(day.event_ns[at])
        if at < QUIET_TRADES and np.isfinite(moment["usual_size"]):
            assert moment["usual_size"] == pytest.approx(0.5 * (mean200 + mean1000), rel=1e-9)
            clipped = min(float(day.size[at]), 30.0 * 0.5 * (mean200 + mean1000))
            mean200 += (clipped - mean200) / 200.0
            mean1000 += (clipped - mean1000) / 1000.0
        if at < 12:
            continue
        # The second lowest to the second highest of the last 12, and spaced ones of the last 20 s.
        recent = sorted(day.price[at - 12 : at])
        young = [price for time_ns, price in spaced[-4:] if now_ns - time_ns < 20_000_000_000]
        equal += (moment["low"], moment["high"]) == (min([recent[1], *young]), max([recent[-2], *young]))
        if now_ns - spaced[-1][0] >= 100_000_000:
            spaced.append((now_ns, sorted(day.price[at - 3 : at])[1]))
    # All but those after a print far off the market, which is forgotten, and after a price that is stuck.
    assert equal > 0.95 * 2_988


def test_the_rates_are_those_that_the_ratio_compares(day: TradeColumns) -> None:
    moments = moments_of(day, load_profile("default"))
    usual = moments[moments["usual_rate"] > 0]
    added = SURGE.slot_prints / SURGE.slot_s
    ratio = (usual["rate"] + added) / (usual["usual_rate"] + added)
    np.testing.assert_allclose(ratio, usual["rate_ratio"], rtol=1e-9)
    beyond = (usual["rate_limit"] + added) / (usual["usual_rate"] + added)
    np.testing.assert_allclose(beyond, SURGE.least_ratio, rtol=1e-9)
    # Of a calm hour, the present rates are the usual ones, within a factor of two.
    assert len(usual) > 0.5 * len(day)
    assert 0.5 < np.median(usual["rate_ratio"]) < 2.0


def test_the_moments_do_not_depend_on_how_the_trades_are_cut(day: TradeColumns) -> None:
    profile = load_profile("default")
    whole, cut = (moments_of(day, profile, cuts) for cuts in ((), (1, 777, 20_000)))
    for name in MOMENTS.names or ():
        np.testing.assert_array_equal(whole[name], cut[name])


def test_a_late_trade_changes_nothing() -> None:
    profile = load_profile("default")
    tape = session_trades("AAA", 0, 300, seed=1)
    order = [*range(200), 50, *range(200, 300)]
    late = part(tape, order)
    late.identity[200] = 4711  # not seen before
    np.testing.assert_array_equal(moments_of(late, profile)["highest"], moments_of(tape, profile)["highest"])


def test_a_profile_tells_only_of_the_detectors_that_it_runs() -> None:
    tape = session_trades("AAA", 0, 300, seed=1)
    sizes = load_profile("default")
    sizes = sizes.model_copy(
        update={"detectors": sizes.detectors.replaced(off_market_price=None, volume_surge=None)}
    )
    moments = moments_of(tape, sizes)
    assert Expectations(sizes, "AAA").compares == ("unusual_size",)
    assert np.isfinite(moments["usual_size"]).any()
    assert math.isnan(moments["highest"][-1])
    assert Expectations(load_profile("classic"), "AAA").compares == ()
    assert math.isnan(moments_of(tape, load_profile("classic"))["usual_size"][-1])


def test_a_symbols_own_parameters_and_usual_day_count() -> None:
    tape = session_trades("AAA", 0, 2_000, seed=1)
    general = load_profile("default")
    own = general.model_copy(
        update={
            "symbols": {
                "AAA": {"unusual_size": {"mean_size_prior": 900.0}, "usual_day": {"moments": 10_000_000}}
            }
        }
    )
    found = {name: moments_of(tape, profile) for name, profile in (("own", own), ("general", general))}
    assert found["own"]["usual_size"][0] == 900.0
    assert found["general"]["usual_size"][0] == 150.0
    last = {name: one["usual_rate"][-1] for name, one in found.items()}
    assert last["own"] > last["general"]
