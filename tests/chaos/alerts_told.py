"""Compares the topic and the index of alerts with what the anomalies of the topic make."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from services.alerter.deciding.decider import Decider
from services.alerter.rules.reading import parse_rules
from services.alerter.seen import read_seen
from services.common.elastic.client import Elasticsearch
from services.common.kafka.records import Record
from services.contracts.alert import Alert, Sending, decode_alert
from tests.chaos.verify import EXAMPLES, Violation
from tests.narrow import value_of

_NEVER_NS = 2**63 - 1

Key = tuple[str, int]
"""An alert's id and a revision."""


def compare_alerts(rules: str, anomalies: Sequence[Record], told: Sequence[Record]) -> list[Violation]:
    """Compare revisions with those that a decider makes that is never disturbed.

    Parameters
    ----------
    rules
        Text of the rules by which they were told.
    anomalies, told
        The topics' committed messages, in the order of their partition. The last revision of an alert, which
        closes it, may be missing: it waits for the tape to go on.
    """
    deciders: dict[int, Decider] = defaultdict(lambda: Decider(parse_rules(rules)))
    decided: list[Alert] = []
    for message in anomalies:
        decided += deciders[message.partition()].anomaly(read_seen(value_of(message), message.headers()))
    required = {_key(alert): _lasting(alert) for alert in decided}
    at_the_end = [alert for decider in deciders.values() for alert in decider.clock(_NEVER_NS)]
    allowed = required | {_key(alert): _lasting(alert) for alert in at_the_end}
    found = [decode_alert(value_of(message)) for message in told]
    counts = Counter(map(_key, found))
    newest: dict[str, int] = {}
    disordered = []
    for alert in found:
        if alert.revision != newest.get(alert.alert_id, 0) + 1 and counts[_key(alert)] == 1:
            disordered.append(_key(alert))
        newest[alert.alert_id] = alert.revision
    different = [
        _key(alert) for alert in found if _lasting(alert) != allowed.get(_key(alert), _lasting(alert))
    ]
    where = "topic alerts"
    return [
        *_violation(where, "lost", required.keys() - counts.keys()),
        *_violation(where, "unknown", counts.keys() - allowed.keys()),
        *_violation(where, "doubled", (key for key, count in counts.items() if count > 1)),
        *_violation(where, "different", different),
        *_violation(where, "out of order", disordered),
    ]


def compare_alert_documents(told: Sequence[Record], client: Elasticsearch, indices: str) -> list[Violation]:
    """Compare the index with the topic: of each alert its highest revision.

    Parameters
    ----------
    told
        The topic's committed messages.
    client
        Client of the cluster.
    indices
        Pattern of the indices of alerts; few enough for one search.
    """
    newest: dict[str, int] = {}
    for message in told:
        alert = decode_alert(value_of(message))
        newest[alert.alert_id] = max(alert.revision, newest.get(alert.alert_id, 0))
    client.indices.refresh(index=indices)
    hits = client.search(index=indices, size=10_000, source_includes=["alert_id", "revision"])["hits"]["hits"]
    found = Counter((hit["_source"]["alert_id"], hit["_source"]["revision"]) for hit in hits)
    wanted = set(newest.items())
    where = "index alerts"
    return [
        *_violation(where, "lost", wanted - found.keys()),
        *_violation(where, "unknown", found.keys() - wanted),
        *_violation(where, "doubled", (key for key, count in found.items() if count > 1)),
    ]


def _key(alert: Alert) -> Key:
    return alert.alert_id, alert.revision


def _lasting(alert: Alert) -> Alert:
    """Return a revision without what depends on the clock, or on what the topic still holds."""
    return msgspec.structs.replace(
        alert, sending=Sending.DUE, is_missed=False, decided_at="", links={}, trades=[]
    )


def _violation(where: str, kind: str, keys: Iterable[Key]) -> list[Violation]:
    listed = sorted(keys)
    examples = tuple(f"{alert_id}.{revision}" for alert_id, revision in listed[:EXAMPLES])
    return [Violation(where, kind, len(listed), examples)] if listed else []
