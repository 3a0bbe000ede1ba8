import time

import pytest

from infra.embedded.ports import free_port
from services.alerter.silencing.silences import new_silence
from services.alerter.silencing.writing import add_silence, check_silence, end_silence
from services.common.errors import TapewatchError
from services.common.kafka.connection import KafkaConnection
from services.contracts.alert import Matcher

NOBODY = KafkaConnection(f"127.0.0.1:{free_port()}")
ONE = Matcher(symbols=["NVDA"])


def test_a_silence_of_everything_must_be_meant() -> None:
    with pytest.raises(TapewatchError, match="every alert"):
        check_silence(Matcher(), "works", "Ada")
    check_silence(Matcher(symbols=["*"]), "works", "Ada")


@pytest.mark.parametrize(("reason", "author"), [(" ", "Ada"), ("works", "")])
def test_a_silence_without_reason_or_author_is_refused(reason: str, author: str) -> None:
    with pytest.raises(TapewatchError, match="a reason and an author"):
        check_silence(ONE, reason, author)


def test_a_kafka_that_is_away_is_waited_for_a_short_time() -> None:
    begun_s = time.monotonic()
    with pytest.raises(TapewatchError, match="did not accept the silence: no answer"):
        add_silence(NOBODY, ONE, 60, "works", "Ada", timeout_s=0.5)
    assert time.monotonic() - begun_s < 5


def test_what_is_over_is_not_ended_again() -> None:
    over = new_silence(ONE, 60, "works", "Ada", time.time() - 61)
    with pytest.raises(TapewatchError, match="is over"):
        end_silence(NOBODY, over, "Bob")
