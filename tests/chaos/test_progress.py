from tests.chaos.progress import Tape


def value(number: int) -> bytes:
    return b'{"@timestamp":"2026-03-02T15:00:00Z","trade_id":"t%d","symbol":"NVDA"}' % number


def tape() -> Tape:
    """Five trades in two partitions; markers have the offsets between, and one trade is there twice."""
    filled = Tape()
    for partition, offset, number in ((0, 0, 1), (0, 1, 2), (0, 5, 3), (0, 7, 2), (3, 4, 4), (3, 9, 5)):
        filled.add(partition, offset, value(number))
    return filled


def test_trade_counts_once_however_often_it_was_published() -> None:
    assert (tape().trades, tape().records) == (5, 6)


def test_offsets_become_counts_of_trades_without_the_markers_between() -> None:
    assert tape().passed({}) == 0
    assert tape().passed({0: 2}) == 2
    assert tape().passed({0: 5}) == 2
    assert tape().passed({0: 6, 3: 5}) == 4
    assert tape().passed({0: 8, 3: 10}) == 5


def test_everything_is_passed_only_behind_the_last_record_of_each_partition() -> None:
    assert not tape().is_passed({0: 8, 3: 9})
    assert not tape().is_passed({0: 8})
    assert tape().is_passed({0: 8, 3: 10})
    assert tape().last_offsets == {0: 7, 3: 9}
