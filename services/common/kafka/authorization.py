"""What Kafka does not allow this client's user, as an error with cause and fix."""

from confluent_kafka import KafkaError

from services.common.errors import TapewatchError

DENIED = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED: ("a topic", "Read, Write and Describe on Tapewatch's topics"),
    KafkaError.GROUP_AUTHORIZATION_FAILED: ("a consumer group", "Read on groups that begin with tapewatch-"),
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: (
        "a transactional id",
        "Write on transactional ids that begin with tapewatch-",
    ),
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: ("the cluster", "IdempotentWrite on the cluster"),
}
"""What was denied, and the operation that is missing, by the error's code."""


def denied(error: KafkaError) -> TapewatchError | None:
    """Return the error to raise where Kafka denies the user something; None for any other error."""
    if error.code() not in DENIED:
        return None
    what, operation = DENIED[error.code()]
    return TapewatchError(
        f"Kafka denies this client's user {what}: {error.str()}.", f"Allow the user {operation}."
    )
