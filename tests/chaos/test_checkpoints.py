from tests.chaos.checkpoints import Recoveries, Saved, check_recoveries

BUSY = {1, 2}
SAVED = [Saved(1, 900, 10.0), Saved(1, 1_900, 20.0), Saved(2, 1_000, 20.0)]
RESTART = "detector-a-02.log"


def assigned(second: int, to_replay: int, *partitions: int) -> dict[str, object]:
    timestamp = f"1970-01-01T00:00:{second:02}.500000Z"
    return {
        "event": "assigned",
        "timestamp": timestamp,
        "partitions": list(partitions),
        "to_replay": to_replay,
    }


def check(*entries: dict[str, object], saved: list[Saved] = SAVED, name: str = RESTART) -> Recoveries:
    return check_recoveries(saved, {name: entries}, {RESTART}, BUSY, checkpoint_trades=1_000)


def kinds(recoveries: Recoveries) -> list[str]:
    return [violation.kind for violation in recoveries.violations]


def test_restart_that_replays_less_than_was_saved_went_on_from_checkpoints() -> None:
    assert check(assigned(30, 1_999, 1, 2)) == Recoveries(
        checkpoints=3, assignments=1, after_restart=1, most_replayed=1_999, violations=[]
    )


def test_restart_that_replays_everything_resumed_from_no_checkpoint() -> None:
    assert kinds(check(assigned(15, 900, 1))) == ["not used"]
    assert kinds(check(assigned(15, 899, 1))) == []


def test_checkpoint_that_came_later_shows_nothing() -> None:
    assert kinds(check(assigned(10, 0, 1))) == []
    assert kinds(check(assigned(9, 0, 1))) == ["not used"]


def test_partition_that_may_have_been_kept_in_memory_shows_nothing() -> None:
    assert kinds(check(assigned(9, 0, 1), assigned(30, 0, 1))) == ["not used"]


def test_process_that_was_not_started_again_is_no_restart() -> None:
    assert kinds(check(assigned(30, 0, 1, 2), name="detector-a-01.log")) == ["not used"]


def test_replay_beyond_what_checkpoints_leave_is_named() -> None:
    recoveries = check(assigned(15, 899, 1), assigned(30, 1_001, 0, 2))
    (violation,) = recoveries.violations
    assert violation.kind == "replayed too much"
    assert violation.examples == ("detector-a-02.log: 1,001 messages of 1 partitions",)


def test_run_without_checkpoints_is_reported() -> None:
    assert kinds(check(assigned(30, 0, 1), saved=[])) == ["empty", "not used"]


def test_assignment_of_nothing_that_has_trades_does_not_count() -> None:
    assert check(assigned(30, 0, 0, 3), {"event": "detected"}).assignments == 0
