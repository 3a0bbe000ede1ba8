"""The files that are made from code: what they contain, and where they are."""

from pathlib import Path

import yaml

from infra.kubernetes.kafka_resources import Resource, topic_resources, user_resources

FOLDER = Path(__file__).parent
_NOTE = "# Made by `python -m infra.kubernetes` from the contract; change that, not this file.\n"


def made_files() -> dict[str, str]:
    """Return the text of each file by its name."""
    return {
        "kafka-topics.yaml": _text(topic_resources()),
        "kafka-users.yaml": _text(user_resources()),
    }


def _text(resources: list[Resource]) -> str:
    return _NOTE + yaml.safe_dump_all(resources, sort_keys=False, width=110)
