from services.common.observability.health import Health
from services.producer.metrics import Tally


def test_limit_is_reached_even_if_a_whole_chunk_went_beyond_it() -> None:
    tally = Tally(Health(), limit=10)
    tally.add(8, 0)
    assert (tally.room, tally.is_full) == (2, False)
    tally.add(5, 0)
    assert (tally.room, tally.is_full) == (0, True)


def test_without_a_limit_there_is_always_room() -> None:
    tally = Tally(Health(), limit=None)
    tally.add(8, 1)
    assert (tally.room, tally.is_full) == (None, False)
