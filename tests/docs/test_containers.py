"""The page about containers says what Kafka's users may do."""

import re

from infra.setup.kafka_access import USERS
from tests.docs.pages import ROOT, first_code, rows

ROWS = {
    first_code(row["Kafka user"]): row
    for row in rows((ROOT / "docs" / "containers.md").read_text())
    if "Kafka user" in row
}


def test_the_rights_of_every_kafka_user_are_as_the_page_says() -> None:
    assert ROWS.keys() == USERS.keys()
    for user, given in USERS.items():
        row = ROWS[user]
        for column, topics in (("reads", given.reads), ("writes", given.writes)):
            assert re.findall(r"`([^`]+)`", row[column]) == sorted(topics), (user, column)
        named = re.findall(r"`([^`]+)`", row["and"])
        assert named == [name for name in (*given.groups, *given.transactions, given.sees_groups) if name]
        assert ("IdempotentWrite" in row["and"]) is given.writes_plainly
