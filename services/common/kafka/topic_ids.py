"""Kafka's ids of topics: one that is deleted and created again has another, as has one of another cluster."""

from confluent_kafka import TopicCollection

from services.common.kafka.clients import REQUEST_TIMEOUT_S, new_admin
from services.common.kafka.connection import KafkaConnection


def find_topic_ids(kafka: KafkaConnection, topics: list[str]) -> dict[str, str]:
    """Ask for the ids of topics that exist.

    By a client of its own, and only while the broker has just answered: librdkafka may abort the process
    when a broker goes away after a request of this kind has timed out (its issue 4605).

    Raises
    ------
    KafkaException
        The broker does not answer.
    """
    admin = new_admin(kafka)
    admin.list_topics(timeout=REQUEST_TIMEOUT_S)
    described = admin.describe_topics(TopicCollection(topics), request_timeout=REQUEST_TIMEOUT_S)
    return {topic: str(future.result(REQUEST_TIMEOUT_S).topic_id) for topic, future in described.items()}


def find_cluster_id(kafka: KafkaConnection) -> str:
    """Ask for the id of the cluster, which is safe at any time.

    Raises
    ------
    KafkaException
        The broker does not answer.
    """
    return new_admin(kafka).list_topics(timeout=REQUEST_TIMEOUT_S).cluster_id or ""
