from services.detector.watchdog.partitions import STALLED_S, StalledPartitions


def test_a_partition_with_messages_and_no_commit_is_stalled_after_a_while() -> None:
    watch = StalledPartitions()
    assert watch.update({0: 10, 1: 5}, {0: 10, 1: 9}, 0.0) == []
    assert watch.update({0: 20, 1: 5}, {0: 20, 1: 30}, STALLED_S - 1) == []
    assert watch.update({0: 20, 1: 5}, {0: 20, 1: 30}, STALLED_S) == [1]
    assert watch.update({0: 20, 1: 6}, {0: 20, 1: 40}, STALLED_S + 1) == []


def test_a_partition_without_messages_and_one_that_comes_forward_are_not_stalled() -> None:
    watch = StalledPartitions()
    for minute in range(20):
        assert watch.update({0: -1001, 1: minute}, {0: 0, 1: 1_000}, 60.0 * minute) == []


def test_one_that_was_never_committed_is_stalled_too() -> None:
    watch = StalledPartitions()
    assert watch.update({}, {0: 3}, 0.0) == []
    assert watch.update({}, {0: 3}, STALLED_S) == [0]
