"""Anomalies that grow, from flags that tests write."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.anomaly import Model
from services.contracts.detectors import DETECTORS
from services.detector.detectors.base import LAST_TELLING, Flags
from services.detector.engine.batch import FULLY_ELIGIBLE, SIDE_CODES, Batch, SessionKey
from services.detector.engine.growth import MOST_ENDED, Found, Growth, Prints
from services.detector.engine.sessions import Piece

MODEL = Model("tapewatch", "1", "profile")
SLOT = 3
MS = 1_000_000


@dataclass(frozen=True)
class Flag:
    """A flag of a trade at a time in milliseconds."""

    ms: int
    detector: str = "burst"
    score: float = 0.6
    join_s: float = 1.0
    span_s: float = 0.0
    expected: float = 0.0
    prints: int | None = None
    is_running_total: bool = False
    of_print: int = 0
    way: tuple[float, float] = (0.0, 4_000.0)
    """Of a fast market; a flag's value is its time."""


def piece_of(times_ms: Iterable[int], late: bool = False) -> Piece:
    event_ns = np.array([ms * MS for ms in times_ms], np.int64)
    count = len(event_ns)
    ones = np.ones(count)
    return Piece(
        places=np.arange(count),
        days=np.full(count, 20_000),
        batch=Batch(
            np.full(count, SLOT),
            event_ns,
            ones,
            ones,
            np.full(count, SIDE_CODES["B"]),
            np.full(count, FULLY_ELIGIBLE),
        ),
        sessions={SLOT: SessionKey("NVDA", "2024-12-02")},
        opened=[],
        late_ns=np.full(count, 5) if late else None,
    )


def flags_of(piece: Piece, flags: Iterable[Flag]) -> dict[str, Flags]:
    times = piece.batch.event_ns.tolist()
    found: dict[str, Flags] = {}
    for name in DETECTORS:
        own = sorted((one for one in flags if one.detector == name), key=lambda one: one.ms)
        if not own:
            continue
        zeros = np.zeros(len(own))
        found[name] = Flags(
            at=np.array([times.index(one.ms * MS) for one in own]),
            score=np.array([one.score for one in own]),
            value=np.array([float(one.ms) for one in own]),
            expected=np.array([one.expected for one in own]),
            threshold=zeros,
            reasons=[f"flag at {one.ms}" for one in own],
            contributions={name: zeros + 1.0},
            features={
                "fast_low": np.array([one.way[0] for one in own]),
                "fast_high": np.array([one.way[1] for one in own]),
                "burst_drift": zeros,
            },
            join_s=np.array([one.join_s for one in own]),
            span_s=np.array([one.span_s for one in own]),
            prints=None if own[0].prints is None else np.array([one.prints for one in own]),
            is_running_total=own[0].is_running_total,
            of_print=np.array([one.of_print for one in own]),
        )
    return found


def grow(growth: Growth, times_ms: list[int], flags: list[Flag], late: bool = False) -> list[Found]:
    piece = piece_of(times_ms, late)
    own = [one for one in flags if one.ms in times_ms]
    prints = Prints(lambda at: f"at {times_ms[at]}", lambda at: f"trade {times_ms[at]}".encode())
    found = growth.combine(piece, flags_of(piece, own), prints)
    return [one._replace(at=times_ms[one.at]) for one in found]


def test_flags_of_one_stretch_are_one_anomaly_with_revisions() -> None:
    times = [0, 100, 200, 300, 400, 5_000]
    flags = [Flag(100), Flag(200), Flag(300, score=0.74), Flag(400)]
    found = grow(Growth(MODEL), times, flags)
    assert [(one.at, one.anomaly.revision, one.anomaly.count) for one in found] == [
        (100, 1, 1),
        (200, 2, 2),
        (400, 3, 4),
    ]
    assert {one.origin for one in found} == {b"trade 100"}
    last = found[-1].anomaly
    assert (last.first_trade, last.last_trade) == ("at 100", "at 400")
    assert last.score == 0.74
    assert last.message == "Flag at 300; 4 such prints within 300 ms."
    assert found[0].anomaly.message == "Flag at 100."


def test_the_end_brings_a_last_revision_with_the_first_trade_after_it() -> None:
    times = [0, 100, 200, 300, 1_299, 1_301, 9_000]
    found = grow(Growth(MODEL), times, [Flag(100), Flag(200), Flag(300)])
    assert [(one.at, one.anomaly.revision, one.anomaly.count) for one in found] == [
        (100, 1, 1),
        (200, 2, 2),
        (1_301, 3, 3),
    ]


def test_a_critical_print_is_no_part_of_what_was_not_even_high_before_it() -> None:
    flags = [Flag(100), Flag(200, score=0.8), Flag(300), Flag(400, score=0.9)]
    found = grow(Growth(MODEL), [0, 100, 200, 300, 400, 5_000], flags)
    assert [(one.at, one.origin, one.anomaly.count) for one in found] == [
        (100, b"trade 100", 1),
        (200, b"trade 200", 1),
        (300, b"trade 100", 2),
        (400, b"trade 200", 2),
    ]


def test_an_end_without_news_brings_no_revision() -> None:
    assert [one.at for one in grow(Growth(MODEL), [0, 100, 5_000], [Flag(100)])] == [100]


def test_a_long_stretch_is_revised_once_a_second_at_most() -> None:
    times = list(range(0, 10_000, 50))
    found = grow(Growth(MODEL), times, [Flag(ms) for ms in times if ms >= 1_000])
    assert [one.at for one in found if one.at < 2_000] == [1_000, 1_050, 1_150, 1_350, 1_750]
    later = [one.at for one in found if one.at >= 3_000]
    assert min(np.diff(later)) >= 1_000
    assert [one.anomaly.revision for one in found] == list(range(1, len(found) + 1))


def test_a_later_flag_is_another_anomaly() -> None:
    found = grow(Growth(MODEL), [0, 100, 1_101], [Flag(100), Flag(1_101)])
    assert [(one.at, one.anomaly.revision, one.origin) for one in found] == [
        (100, 1, b"trade 100"),
        (1_101, 1, b"trade 1101"),
    ]


def test_a_stretch_that_a_wrong_stamp_has_put_ahead_does_not_stay_open_until_then() -> None:
    ahead = 3_600_000
    found = grow(Growth(MODEL), [0, ahead, 100, 5_000], [Flag(ahead), Flag(5_000)])
    assert [(one.at, one.anomaly.revision) for one in found] == [(ahead, 1), (5_000, 1)]


def test_a_flag_that_joins_nothing_is_an_anomaly_without_revisions() -> None:
    [one, other] = grow(Growth(MODEL), [0, 1], [Flag(0, join_s=0.0), Flag(1, join_s=0.0)])
    for found in (one, other):
        assert (found.anomaly.revision, found.anomaly.count, found.anomaly.first_trade) == (None, None, None)


def test_other_labels_are_anomalies_of_their_own() -> None:
    flags = [Flag(0), Flag(100), Flag(100, detector="high_volume", join_s=0.0)]
    found = grow(Growth(MODEL), [0, 100], flags)
    assert [(one.at, one.anomaly.anomalies, one.anomaly.revision) for one in found] == [
        (0, ["Burst"], 1),
        (100, ["Burst"], 2),
        (100, ["High Volume"], None),
    ]


def test_the_detectors_own_count_of_prints_counts() -> None:
    found = grow(Growth(MODEL), [0, 10], [Flag(0, prints=20), Flag(10, prints=60)])
    assert [one.anomaly.count for one in found] == [20, 60]


def test_a_running_total_tells_of_the_whole_with_the_highest_score() -> None:
    flags = [Flag(0, score=0.9, is_running_total=True), Flag(10, score=0.7, is_running_total=True)]
    last = grow(Growth(MODEL), [0, 10], flags)[-1].anomaly
    assert last.message == "Flag at 10."
    assert last.score == 0.9


def anomalies_of(times: list[int], flags: list[Flag]) -> dict[bytes, tuple[list[str], str]]:
    """Return the labels and the severity of each anomaly's last revision, by the trade that it began with."""
    found = grow(Growth(MODEL), times, flags)
    return {one.origin: (one.anomaly.anomalies, str(one.anomaly.severity)) for one in found}


def test_what_a_pattern_absorbs_joins_it_under_its_label() -> None:
    flags = [Flag(0, "one_sided_flow", 0.5), Flag(500, "burst", 0.6), Flag(900, "one_sided_flow", 0.5)]
    assert anomalies_of([0, 500, 900], flags) == {b"trade 0": (["One-Sided Flow", "Burst"], "medium")}


def test_a_severe_anomaly_in_a_pattern_stands_alone() -> None:
    times = [0, 500, 600, 900, 9_000]
    flags = [
        Flag(0, "one_sided_flow", 0.5),
        Flag(500, "off_market_price", 0.7),
        Flag(600, "off_market_price", 0.55),
        Flag(900, "one_sided_flow", 0.5),
    ]
    assert anomalies_of(times, flags) == {
        b"trade 0": (["One-Sided Flow"], "low"),
        b"trade 500": (["Off-Market Price"], "high"),
    }
    severe = [flags[1], Flag(900, "one_sided_flow", 0.5, span_s=1.0)]
    assert anomalies_of(times, severe) == {
        b"trade 500": (["Off-Market Price"], "high"),
        b"trade 900": (["One-Sided Flow"], "low"),
    }
    as_severe = [flags[1], Flag(900, "price_ramp", 0.7)]
    assert anomalies_of(times, as_severe) == {b"trade 500": (["Price Ramp", "Off-Market Price"], "high")}


def test_a_severe_anomaly_and_a_pattern_of_one_trade_are_named_for_the_former() -> None:
    flags = [Flag(0, "off_market_price", 0.7), Flag(0, "one_sided_flow", 0.5)]
    assert anomalies_of([0], flags) == {b"trade 0": (["Off-Market Price", "One-Sided Flow"], "high")}


def test_a_fault_of_the_feed_explains_what_is_more_severe() -> None:
    flags = [Flag(0, "level_shift", 0.5), Flag(500, "off_market_price", 0.9)]
    assert anomalies_of([0, 500, 9_000], flags) == {b"trade 0": (["Level Shift", "Off-Market Price"], "low")}


def test_a_silence_explains_a_jump_and_no_slipped_decimal() -> None:
    jump = [Flag(0, "silence", 0.6), Flag(500, "off_market_price", 0.8, expected=490.0)]
    assert anomalies_of([0, 500, 9_000], jump) == {b"trade 0": (["Silence", "Off-Market Price"], "medium")}
    wrong = [Flag(0, "silence", 0.6), Flag(500, "off_market_price", 0.8, expected=50.0)]
    assert anomalies_of([0, 500, 9_000], wrong) == {
        b"trade 0": (["Silence"], "medium"),
        b"trade 500": (["Off-Market Price"], "critical"),
    }


def test_a_pattern_that_is_recognised_late_takes_over_the_most_severe_of_its_stretch() -> None:
    times = [0, 5_000, 10_000, 15_000, 20_000, 20_100, 30_000]
    flags = [
        Flag(0, "burst", 0.64),
        Flag(5_000, "unusual_size", 0.55),
        Flag(10_000, "burst", 0.6),
        Flag(20_000, "volume_surge", 0.5, span_s=18.0),
        Flag(20_100, "volume_surge", 0.5, span_s=18.1),
    ]
    assert anomalies_of(times, flags) == {
        b"trade 0": (["Burst"], "medium"),
        b"trade 5000": (["Unusual Size"], "low"),
        b"trade 10000": (["Volume Surge", "Burst"], "medium"),
    }
    revisions = [one for one in grow(Growth(MODEL), times, flags) if one.origin == b"trade 10000"]
    assert [(one.at, one.anomaly.count) for one in revisions] == [(10_000, 1), (20_000, 1), (20_100, 2)]


def test_what_is_expected_and_other_patterns_are_not_taken_over() -> None:
    flags = [
        Flag(0, "auction_cross", 0.6, join_s=0.0),
        Flag(0, "unusual_size", 0.6),
        Flag(5_000, "one_sided_flow", 0.5),
        Flag(5_100, "unusual_size", 0.55),
        Flag(9_000, "volume_surge", 0.5, span_s=20.0),
    ]
    assert anomalies_of([0, 5_000, 5_100, 9_000], flags) == {
        b"trade 0": (["Auction Cross", "Unusual Size"], "info"),
        b"trade 5000": (["One-Sided Flow", "Unusual Size"], "low"),
        b"trade 9000": (["Volume Surge"], "low"),
    }


def test_what_ended_long_ago_is_taken_over_by_nothing_and_forgotten() -> None:
    growth = Growth(MODEL)
    minutes = 60_000
    flags = [Flag(0), Flag(6 * minutes, "volume_surge", 0.5, span_s=600.0)]
    assert anomalies_of([0, 6 * minutes], flags) == {
        b"trade 0": (["Burst"], "medium"),
        f"trade {6 * minutes}".encode(): (["Volume Surge"], "low"),
    }
    grow(growth, [0, 6 * minutes], flags[:1])
    assert growth.save(SLOT) == Growth(MODEL).save(SLOT)


def test_only_so_many_that_have_ended_are_kept() -> None:
    times = list(range(0, 40_000, 2_000))
    growth = Growth(MODEL)
    grow(growth, times[:-1], [Flag(ms) for ms in times[:-1]])
    flags = [Flag(ms) for ms in times[:-1]] + [Flag(38_000, "volume_surge", 0.5, span_s=300.0)]
    taken = times[-1 - MOST_ENDED]
    assert anomalies_of(times, flags)[f"trade {taken}".encode()][0] == ["Volume Surge", "Burst"]
    growing, _ = msgspec.msgpack.decode(growth.save(SLOT))
    assert len(growing) == MOST_ENDED


def test_a_late_trade_neither_joins_nor_begins_a_stretch() -> None:
    growth = Growth(MODEL)
    grow(growth, [0], [Flag(0)])
    before = growth.save(SLOT)
    [late] = grow(growth, [10], [Flag(10)], late=True)
    assert late.anomaly.revision is None
    assert late.anomaly.late_s == pytest.approx(5e-9)
    assert growth.save(SLOT) == before


def test_a_new_session_in_the_slot_knows_nothing_of_the_one_before() -> None:
    growth = Growth(MODEL)
    grow(growth, [0], [Flag(0)])
    growth.open(SLOT)
    fresh = Growth(MODEL)
    fresh.open(SLOT)
    assert growth.save(SLOT) == fresh.save(SLOT)


def opened() -> Growth:
    growth = Growth(MODEL)
    growth.open(SLOT)
    return growth


@pytest.mark.parametrize("number", [1, 2])
def test_a_later_print_tells_of_an_early_one_and_the_anomaly_is_that_ones(number: int) -> None:
    times = [10, 20, 30, 40]
    [one] = grow(opened(), times, [Flag(30, "off_market_price", 0.8, join_s=10.0, of_print=number)])
    name = times[number - 1]
    assert (one.at, one.origin) == (30, f"trade {name}".encode())
    assert (one.anomaly.first_trade, one.anomaly.last_trade) == (f"at {name}", f"at {name}")
    assert (one.anomaly.revision, one.anomaly.count, one.anomaly.score) == (1, 1, 0.8)


def test_what_was_said_of_an_early_print_stays_in_its_next_revision() -> None:
    flags = [Flag(10, "unusual_size", 0.6, join_s=0.0), Flag(30, "off_market_price", 0.8, of_print=1)]
    first, second = grow(opened(), [10, 20, 30], flags)
    assert (first.anomaly.revision, first.anomaly.anomalies) == (1, ["Unusual Size"])
    assert (second.anomaly.revision, second.anomaly.anomalies) == (2, ["Off-Market Price", "Unusual Size"])
    assert first.origin == second.origin == b"trade 10"


def test_an_early_print_joins_no_stretch_of_the_print_that_tells_of_it() -> None:
    flags = [Flag(30, "off_market_price", 0.8, of_print=1), Flag(30, "burst", 0.7), Flag(40, "burst", 0.7)]
    found = grow(opened(), [10, 20, 30, 40], flags)
    assert [(one.origin, one.anomaly.anomalies) for one in found] == [
        (b"trade 10", ["Off-Market Price"]),
        (b"trade 30", ["Burst"]),
        (b"trade 30", ["Burst"]),
    ]


def test_a_late_print_tells_of_no_other() -> None:
    growth = opened()
    grow(growth, [10, 20], [])
    assert grow(growth, [15], [Flag(15, "off_market_price", of_print=1)], late=True) == []


def test_early_prints_are_forgotten_when_nothing_more_can_be_said_of_them() -> None:
    growth = opened()
    before = len(growth.save(SLOT))
    grow(growth, [10], [])
    assert len(growth.save(SLOT)) > before
    grow(growth, list(range(20, 10 * LAST_TELLING + 1, 10)), [])
    assert len(growth.save(SLOT)) <= before


@pytest.mark.parametrize("saved", [b"", b"\x91", b"\x91\x90", b"\xc0"])
def test_unreadable_state_is_an_error(saved: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Growth(MODEL).restore(SLOT, saved)


FLAGS = st.lists(
    st.builds(
        Flag,
        ms=st.integers(0, 4_000),
        detector=st.sampled_from(
            [
                *("burst", "off_market_price", "unusual_size", "one_sided_flow", "print_storm"),
                *("level_shift", "fast_market"),
            ]
        ),
        score=st.sampled_from([0.5, 0.6, 0.7, 0.9]),
        join_s=st.sampled_from([0.0, 0.2, 1.0]),
        span_s=st.sampled_from([0.0, 0.5, 3.0]),
    ),
    max_size=40,
    unique_by=lambda flag: (flag.ms, flag.detector),
)


@given(cuts=st.lists(st.integers(0, 5)), is_sized=st.booleans(), number=st.integers(1, 2))
def test_early_prints_survive_any_cut_and_restart(cuts: list[int], is_sized: bool, number: int) -> None:
    times = [10, 20, 30, 40, 50]
    flags = [Flag(40, "off_market_price", 0.8, of_print=number)]
    if is_sized:
        flags += [Flag(10, "unusual_size", 0.6, join_s=0.02), Flag(30, "unusual_size", 0.6, join_s=0.02)]
    whole = grow(opened(), times, flags)
    growth = opened()
    found: list[Found] = []
    for begin, end in pairwise([0, *sorted(cuts), len(times)]):
        found += grow(growth, times[begin:end], flags)
        saved = growth.save(SLOT)
        growth = opened()
        growth.restore(SLOT, saved)
        assert growth.save(SLOT) == saved
    assert found == whole


@given(flags=FLAGS, others=st.lists(st.integers(0, 8_000)), cuts=st.lists(st.integers(0, 60)))
def test_any_cut_into_batches_gives_the_same_revisions(
    flags: list[Flag], others: list[int], cuts: list[int]
) -> None:
    times = sorted({*others, *(flag.ms for flag in flags)})
    whole = grow(Growth(MODEL), times, flags)
    growth = Growth(MODEL)
    found: list[Found] = []
    edges = [0, *sorted(cut for cut in cuts if cut < len(times)), len(times)]
    for begin, end in pairwise(edges):
        saved = growth.save(SLOT)
        growth = Growth(MODEL)
        growth.restore(SLOT, saved)
        if begin < end:
            found += grow(growth, times[begin:end], flags)
    assert repr(found) == repr(whole)


@given(flags=FLAGS, others=st.lists(st.integers(0, 8_000)))
def test_every_anomalys_revisions_count_from_one_and_its_score_never_falls_unexplained(
    flags: list[Flag], others: list[int]
) -> None:
    times = sorted({*others, *(flag.ms for flag in flags)})
    by_origin: dict[str, list[Found]] = {}
    for one in grow(Growth(MODEL), times, flags):
        if one.anomaly.first_trade is not None:
            by_origin.setdefault(one.anomaly.first_trade, []).append(one)
    for revisions in by_origin.values():
        assert [one.anomaly.revision for one in revisions] == list(range(1, len(revisions) + 1))
        counts = [one.anomaly.count or 0 for one in revisions]
        assert counts == sorted(counts)
        # A fault of the feed and a fast market have their own scores, whatever they explain.
        explaining = {"Level Shift", "Fast Market"}
        scores = [one.anomaly.score for one in revisions if not explaining & set(one.anomaly.anomalies)]
        assert scores == sorted(scores)


@pytest.mark.parametrize(("price", "is_explained"), [(101.0, True), (105.0, False)])
def test_a_fast_market_explains_prices_on_its_way_alone(price: float, is_explained: bool) -> None:
    piece = piece_of([0, 1_100])
    one = np.ones(1)

    def flags(at: int, score: float, value: float, features: dict[str, np.ndarray]) -> Flags:
        return Flags(
            at=np.array([at]),
            score=one * score,
            value=one * value,
            expected=one * 100,
            threshold=one,
            reasons=["it is odd"],
            features=features,
            join_s=10.0,
            is_running_total=bool(features),
        )

    found = Growth(MODEL).combine(
        piece,
        {
            "off_market_price": flags(0, 0.8, price, {}),
            "fast_market": flags(1, 0.54, 102.0, {"fast_low": one * 100, "fast_high": one * 102}),
        },
        Prints(str),
    )
    last = found[-1].anomaly
    assert last.score == pytest.approx(0.54)
    assert last.severity == "low"
    assert last.anomalies == (["Fast Market", "Off-Market Price"] if is_explained else ["Fast Market"])
    assert last.revision == (2 if is_explained else 1)


def test_a_fast_market_explains_what_turns_out_to_be_on_its_way_later_on() -> None:
    def market(ms: int, highest: float, span_s: float) -> Flag:
        return Flag(ms, "fast_market", 0.54, 10.0, span_s=span_s, is_running_total=True, way=(0.0, highest))

    flags = [
        Flag(100, "off_market_price", 0.8),
        market(1_000, 400.0, 1.0),
        Flag(2_000, "off_market_price", 0.7, expected=9_000.0, join_s=0.5),
        Flag(2_600, "unusual_size", 0.52),
        Flag(4_000, "off_market_price", 0.9, join_s=0.5),
    ]
    times = [100, 1_000, 2_000, 2_600, 2_700, 4_000, 4_100]
    assert anomalies_of(times, flags) == {
        b"trade 100": (["Fast Market", "Off-Market Price", "Unusual Size"], "low"),
        b"trade 2000": (["Off-Market Price"], "high"),
        b"trade 4000": (["Off-Market Price"], "critical"),
    }
    flags += [market(2_700, 2_100.0, 2.7), market(4_100, 2_100.0, 4.1)]
    assert anomalies_of(times, flags) == {
        b"trade 100": (["Fast Market", "Off-Market Price", "Unusual Size"], "low"),
        b"trade 2000": (["Fast Market", "Off-Market Price"], "low"),
        b"trade 4000": (["Off-Market Price"], "critical"),
    }
    found = grow(Growth(MODEL), times, flags)
    assert [(one.at, one.anomaly.revision) for one in found if one.origin == b"trade 2000"] == [
        (2_000, 1),
        (2_700, 2),
    ]


def test_a_fast_market_does_not_explain_a_price_that_it_has_left() -> None:
    flags = [
        Flag(100, "fast_market", 0.54, 10.0, span_s=0.1, is_running_total=True, way=(0.0, 400.0)),
        # Far from the trades after it, which are where it was expected.
        Flag(2_000, "off_market_price", 0.7, expected=1.0, join_s=0.5),
        Flag(2_700, "fast_market", 0.54, 10.0, span_s=2.7, is_running_total=True, way=(0.0, 2_100.0)),
    ]
    assert anomalies_of([100, 2_000, 2_700], flags)[b"trade 2000"] == (["Off-Market Price"], "high")


def test_a_low_size_of_a_louder_print_is_part_of_a_fast_market() -> None:
    flags = [
        Flag(100, "off_market_price", 0.8),
        Flag(100, "unusual_size", 0.55),
        Flag(1_000, "fast_market", 0.54, span_s=1.0, is_running_total=True),
    ]
    assert anomalies_of([100, 1_000, 9_000], flags) == {
        b"trade 100": (["Fast Market", "Off-Market Price", "Unusual Size"], "low")
    }
