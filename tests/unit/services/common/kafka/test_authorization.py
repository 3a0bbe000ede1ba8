import pytest
from confluent_kafka import KafkaError, KafkaException

from services.common.errors import TapewatchError
from services.common.kafka.authorization import DENIED, denied
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.offsets import Positions
from services.common.kafka.transactions import Transactions
from tests.stops import AskedFor
from tests.unit.services.common.kafka.fake_consumer import FakeMessage


@pytest.mark.parametrize("code", list(DENIED))
def test_what_kafka_denies_is_named_with_the_operation_that_is_missing(code: int) -> None:
    refusal = denied(KafkaError(code))
    assert refusal is not None
    assert refusal.cause.startswith("Kafka denies this client's user ")
    assert refusal.hint.startswith("Allow the user ")


def test_other_errors_are_no_denial() -> None:
    assert denied(KafkaError(KafkaError._TRANSPORT)) is None


def test_reading_a_topic_that_is_denied_ends() -> None:
    trouble = KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)
    with pytest.raises(TapewatchError, match="denies this client's user a topic"):
        Positions().split([FakeMessage(("trades", 0), 0, None, trouble)])


def test_transactional_id_that_is_denied_is_not_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    class Denied:
        def list_topics(self, timeout: float) -> None:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))  # as while no broker is connected

        def init_transactions(self, _timeout_s: float) -> None:
            raise KafkaException(KafkaError(KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED))

    monkeypatch.setattr("services.common.kafka.transactions.new_producer", lambda *_, **__: Denied())
    with pytest.raises(TapewatchError, match="a transactional id"):
        Transactions(KafkaConnection("kafka:9092"), "tapewatch-x", AskedFor(), lambda: None)
