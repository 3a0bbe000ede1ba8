import pytest

from services.dead_letters.letters import History, Letter, LetterId
from services.dead_letters.replay import Outcome, decide, decide_for_all
from tests.unit.services.dead_letters.samples import failure_of, letter

PARTITIONS = {"trades": [0, 1, 2, 3], "anomalies": [0]}


def test_messages_of_trades_and_anomalies_are_written_back() -> None:
    assert decide(letter(), PARTITIONS).outcome == Outcome.PUT_BACK
    anomaly = letter(topic="anomalies", partition="9", offset="1")
    assert decide(anomaly, PARTITIONS).outcome == Outcome.PUT_BACK  # its key finds the partition


@pytest.mark.parametrize(
    ("skipped", "reason"),
    [
        (
            letter(file="day.csv", line="17"),
            "day.csv line 17 is not a message; fix the file and publish it again",
        ),
        (letter(topic="orders", partition="0", offset="1"), "nothing can be put back into the topic orders"),
        (letter(key=None, topic="trades", partition="4", offset="1"), "the topic trades has no partition 4"),
        (letter(service="stray"), "its headers do not say where it came from"),
    ],
)
def test_what_cannot_be_put_back_is_skipped_with_the_reason(skipped: Letter, reason: str) -> None:
    assert decide(skipped, PARTITIONS).outcome == Outcome.SKIPPED
    assert decide(skipped, PARTITIONS).reason == reason


def test_all_skips_replayed_letters_and_their_new_letters() -> None:
    history = History()
    history.add_replay(LetterId(2, 1), 2_000)
    fates = [
        decide_for_all(one, PARTITIONS, history).outcome
        for one in (letter(1), letter(2), failure_of(3, of=1))
    ]
    assert fates == [Outcome.DONE_BEFORE, Outcome.PUT_BACK, Outcome.FAILURE]


def test_failure_of_a_replay_is_put_back_when_asked_for() -> None:
    assert decide(failure_of(3, of=1), PARTITIONS).outcome == Outcome.PUT_BACK
