"""The decider's output: alerts, dead letters, checkpoints and offsets become visible together."""

from confluent_kafka import KafkaException

from services.common.kafka.dead_letters import publish_rejected_message
from services.common.kafka.outbox import Outbox
from services.common.kafka.records import Record
from services.common.kafka.transactions import Transactions
from services.contracts.alert import Alert, encode
from services.contracts.components import ALERTER
from services.contracts.topics import ALERTS_TOPIC


class AlerterOutbox(Outbox):
    """Publishes in one transaction after another; each method may raise `TransactionAbortedError`.

    Parameters
    ----------
    transactions
        Opened under the alerter's name.
    """

    def __init__(self, transactions: Transactions) -> None:
        super().__init__(transactions, ALERTER.service)

    def publish(self, alerts: list[Alert], rejected: list[tuple[Record, str]]) -> None:
        """Publish revisions in their order, and dead letters."""
        producer = self._transactions.producer
        try:
            for alert in alerts:
                producer.produce(ALERTS_TOPIC, key=alert.alert_id, value=encode(alert))
            for message, reason in rejected:
                publish_rejected_message(producer, ALERTER.service, reason, message)
        except KafkaException as failure:
            self._transactions.fail(failure)
