import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.sources.databento.trade_ids import NUMBERS_PACKETS_IDS, TradeIds

NASDAQ, CME = 2, 1


def frame(publisher_id: int, sequences: list[int], instrument_id: int = 7) -> pl.DataFrame:
    count = len(sequences)
    return pl.DataFrame(
        {
            "publisher_id": [publisher_id] * count,
            "instrument_id": [instrument_id] * count,
            "ts_event": [1_733_149_800_000_000_000] * count,
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


@settings(deadline=None)
@given(prints=st.lists(st.integers(1, 4), min_size=1, max_size=12), cut=st.integers(1, 5))
def test_names_do_not_depend_on_chunks(prints: list[int], cut: int) -> None:
    sequences = [number for number, count in enumerate(prints) for _ in range(count)]
    whole = TradeIds().name(frame(CME, sequences)).to_list()
    ids = TradeIds()
    parts = [ids.name(frame(CME, sequences[at : at + cut])) for at in range(0, len(sequences), cut)]
    assert pl.concat(parts).to_list() == whole
    assert len(set(whole)) == len(whole)
