import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.sources.databento import trade_ids
from services.sources.databento.trade_ids import NUMBERS_PACKETS_IDS, TradeIds

NASDAQ, CME = 2, 1


EVENT_NS = 1_733_149_800_000_000_000


def frame(
    publisher_id: int, sequences: list[int], instrument_id: int = 7, times_ns: list[int] | None = None
) -> pl.DataFrame:
    count = len(sequences)
    return pl.DataFrame(
        {
            "publisher_id": [publisher_id] * count,
            "instrument_id": [instrument_id] * count,
            "ts_event": times_ns or [EVENT_NS] * count,
            "sequence": sequences,
        },
        schema=dict.fromkeys(("publisher_id", "instrument_id", "ts_event", "sequence"), pl.Int64),
    )


def test_repeated_number_of_a_print_is_the_same_trade() -> None:
    ids = TradeIds().name(frame(NASDAQ, [5, 6, 6])).to_list()
    assert ids == ["2-7-20241202-5", "2-7-20241202-6", "2-7-20241202-6"]


def test_prints_of_one_packet_get_different_ids() -> None:
    ids = TradeIds().name(frame(CME, [5, 5, 5, 6])).to_list()
    assert ids == ["1-7-20241202-5", "1-7-20241202-5-2", "1-7-20241202-5-3", "1-7-20241202-6"]


def test_publishers_of_venues_that_number_packets_are_databentos() -> None:
    publishers = pytest.importorskip("databento.common.publishers")
    venues = {
        "GLBX.MDP3",
        "IFEU.IMPACT",
        "NDEX.IMPACT",
        "IFUS.IMPACT",
        "IFLL.IMPACT",
        "XEUR.EOBI",
        "XEEE.EOBI",
    }
    numbers = [one.to_int() for one in publishers.Publisher if one.dataset.value in venues]
    assert sorted(numbers) == list(NUMBERS_PACKETS_IDS)


def test_trades_without_a_sequence_are_named_by_their_time() -> None:
    ids = TradeIds().name(frame(NASDAQ, [0, 0, 0, 9], times_ns=[EVENT_NS, EVENT_NS, EVENT_NS + 1, EVENT_NS]))
    assert ids.to_list() == [
        f"2-7-20241202-t{EVENT_NS}",
        f"2-7-20241202-t{EVENT_NS}-2",
        f"2-7-20241202-t{EVENT_NS + 1}",
        "2-7-20241202-9",
    ]


def test_equal_ids_far_apart_count_again_wherever_the_file_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trade_ids, "MEMORY_TRADES", 3)
    sequences = [5, 6, 6, 5, 7, 7, 7, 5, 5]
    wanted = ["5", "6", "6-2", "5-2", "7", "7-2", "7-3", "5", "5-2"]
    for cut in range(1, len(sequences)):
        ids = TradeIds()
        parts = [ids.name(frame(CME, sequences[at : at + cut])) for at in range(0, len(sequences), cut)]
        assert pl.concat(parts).to_list() == [f"1-7-20241202-{number}" for number in wanted]


@settings(deadline=None, max_examples=50)
@given(
    prints=st.lists(
        st.tuples(st.sampled_from([CME, NASDAQ]), st.integers(1, 2), st.integers(0, 3), st.integers(0, 2)),
        min_size=1,
        max_size=30,
    ),
    cut=st.integers(1, 9),
    memory_trades=st.integers(1, 40),
)
def test_ids_do_not_depend_on_chunks_and_none_is_given_twice(
    prints: list[tuple[int, int, int, int]], cut: int, memory_trades: int
) -> None:
    publishers, instruments, sequences, seconds = (list(column) for column in zip(*prints, strict=True))
    trades = pl.DataFrame(
        {
            "publisher_id": publishers,
            "instrument_id": instruments,
            "ts_event": [EVENT_NS + second for second in seconds],
            "sequence": sequences,
        },
        schema_overrides=dict.fromkeys(("publisher_id", "instrument_id", "ts_event", "sequence"), pl.Int64),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trade_ids, "MEMORY_TRADES", memory_trades)
        whole = TradeIds().name(trades).to_list()
        ids = TradeIds()
        parts = [ids.name(trades[at : at + cut]) for at in range(0, len(trades), cut)]
    assert pl.concat(parts).to_list() == whole
    if memory_trades >= len(prints):
        told_apart = [
            name
            for name, (publisher, _, number, _) in zip(whole, prints, strict=True)
            if publisher == CME or number == 0
        ]
        assert len(set(told_apart)) == len(told_apart)
