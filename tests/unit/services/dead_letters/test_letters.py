import pytest

from services.dead_letters.letters import History, Letter, LetterId, MessageOrigin, Origins, State
from tests.samples import kafka_record
from tests.unit.services.dead_letters.samples import failure_of, letter, letter_of_message


def test_id_is_read_back_as_it_is_written() -> None:
    assert LetterId.parse(str(LetterId(5, 1234))) == LetterId(5, 1234)


@pytest.mark.parametrize(
    "text", ["", "5", "5-", "-5", "a-1", "1-2-3", "1--2", " 1-2", "1-2\n", "1-" + "9" * 19]
)
def test_what_is_no_id_is_not_read_as_one(text: str) -> None:
    assert LetterId.parse(text) is None


def test_origin_is_a_message_or_a_row_or_unknown() -> None:
    assert str(letter(7).origin) == "trades 3:7"
    assert str(letter(service="producer", file="day.csv", line="17").origin) == "day.csv line 17"
    assert letter(service="other", topic="trades", partition="x", offset="1").origin is None
    assert letter(service="other").origin is None


def test_message_of_a_stranger_is_a_letter_too() -> None:
    message = kafka_record("dead-letters", 1, 2, at_ms=5)
    stray = Letter.of(message)
    assert (stray.service, stray.error_kind, stray.size_bytes, stray.key) == (
        "unknown",
        "no error given",
        0,
        None,
    )


def test_header_that_is_not_utf8_is_escaped() -> None:
    headers: list[tuple[str, bytes | None]] = [("service", b"\xffx"), ("error", None)]
    message = kafka_record("dead-letters", 1, 2, headers=headers, at_ms=5)
    assert Letter.of(message).headers == {"service": "\\xffx", "error": ""}


def test_error_kind_leaves_out_what_differs_between_letters() -> None:
    assert letter(error="price is not a number: 'lots'").error_kind == "price is not a number"
    assert letter(error="price is empty").error_kind == "price is empty"


def test_letter_is_replayed_after_it_was_written_back() -> None:
    history = History()
    assert history.state(letter(1)) == State.NEW
    history.add_replay(LetterId(2, 1), 2_000)
    assert history.state(letter(1)) == State.REPLAYED
    assert history.state(letter(2)) == State.NEW


def test_letter_has_failed_again_when_each_replay_of_it_was_rejected() -> None:
    history = History()
    history.add_replay(LetterId(2, 1), 2_000)
    history.add_letter(failure_of(5, of=1))
    assert history.state(letter(1)) == State.FAILED_AGAIN
    history.add_replay(LetterId(2, 1), 3_000)
    assert history.state(letter(1)) == State.REPLAYED
    history.add_letter(failure_of(6, of=1))
    assert history.state(letter(1)) == State.FAILED_AGAIN


def test_letter_written_twice_for_one_failure_counts_once() -> None:
    history = History()
    for _ in range(2):
        history.add_replay(LetterId(2, 1), 2_000)
    history.add_letter(failure_of(5, of=1, origin=70))
    history.add_letter(failure_of(6, of=1, origin=70))
    assert history.state(letter(1)) == State.REPLAYED


def test_note_older_than_the_letter_is_of_another_letter() -> None:
    history = History()
    history.add_replay(LetterId(2, 1), 999)
    assert history.state(letter(1, at_ms=1_000)) == State.NEW
    assert history.replays_ms(letter(1, at_ms=999)) == [999]


def test_origin_is_read_back_from_its_headers() -> None:
    origin = MessageOrigin("trades", 3, 7, 1_733_149_800_000)
    assert MessageOrigin.of(origin.headers) == origin
    untimed = MessageOrigin("trades", 3, 7)
    assert MessageOrigin.of(untimed.headers) == untimed


def test_first_letter_of_a_message_counts_from_any_service() -> None:
    origins = Origins()
    assert origins.is_first(letter_of_message(1, 7))
    assert not origins.is_first(letter_of_message(2, 7, service="indexer"))
    assert not origins.is_first(letter_of_message(3, 7))  # written again after a kill
    assert origins.is_first(letter_of_message(4, 8))


def test_message_of_a_topic_made_again_is_another_one_than_was_at_its_place() -> None:
    origins = Origins()
    assert origins.is_first(letter_of_message(1, 7, at_ms=500))
    assert origins.is_first(letter_of_message(2, 7, at_ms=900))


def test_letters_without_a_message_are_each_the_first() -> None:
    origins = Origins()
    for _ in range(2):
        assert origins.is_first(letter(service="stray"))
        assert origins.is_first(letter(file="day.csv", line="17"))  # published `--again`


def test_letters_of_one_message_share_what_became_of_it() -> None:
    first, second = letter_of_message(1, 7), letter_of_message(2, 7, service="indexer")
    history = History()
    assert isinstance(second.origin, MessageOrigin)
    history.add_replay(second.id, 2_000, second.origin)
    assert (history.state(first), history.state(second)) == (State.REPLAYED, State.REPLAYED)
    history.add_letter(failure_of(5, of=2, origin=70))
    history.add_letter(failure_of(6, of=2, origin=70))
    assert (history.state(first), history.state(second)) == (State.FAILED_AGAIN, State.FAILED_AGAIN)
    assert history.state(letter_of_message(3, 8)) == State.NEW
