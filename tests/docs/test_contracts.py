"""The tables of docs/contracts.md agree with the code."""

import datetime as dt
import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, get_args

import msgspec
import orjson
import polars as pl
import pytest
import zstandard

from services.common.kafka import dead_letters
from services.contracts import dead_letter
from services.contracts.alert import Alert, Delivery, Silence
from services.contracts.anomaly import (
    BROUGHT_AT,
    JUDGED_AGAIN,
    TAPE_CLOCK,
    TRADE_OFFSET,
    TRADE_TIME,
    Anomaly,
    Detection,
    DetectionModel,
    Model,
    Rule,
    Severity,
    anomaly_json,
)
from services.contracts.correction import Correction
from services.contracts.detectors import DETECTORS
from services.contracts.feed_event import EventName, FeedEvent
from services.contracts.indices import (
    ALERT_DELIVERIES_INDEX_PREFIX,
    ALERTS_INDEX_PREFIX,
    ANOMALIES_INDEX_PREFIX,
    CASES_INDEX,
    CORRECTIONS_INDEX_PREFIX,
    FEED_EVENTS_INDEX_PREFIX,
    PROFILES_INDEX,
    SILENCES_INDEX,
    TRADES_INDEX_PREFIX,
    VERDICTS_INDEX,
    VIEWS_INDEX,
)
from services.contracts.sinks import COMPONENTS as SERVICES
from services.contracts.topics import DAY_MS, DEAD_LETTER_MAX_BYTES, DEFAULT_PARTITIONS, TOPICS
from services.contracts.trade import Trade
from services.detector.engine.batch import SessionKey
from services.detector.engine.build_anomaly import SEVERITIES
from services.detector.engine.state import SessionState
from services.detector.live.checkpoint import MAGIC, VERSION, PartitionCheckpoint, SessionCheckpoint, encode
from services.detector.live.retraction import publish_retraction
from services.producer.progress import Progress
from services.producer.reconcile import reconciled
from services.sources.columns import COLUMNS, TRADE_FIELDS
from services.sources.databento.schema import ENCODING, OPTIONAL, REQUIRED
from services.sources.encode import to_json
from tests.docs.pages import ROOT, first_code, headings, rows, section
from tests.samples import trade_json

PAGE = (ROOT / "docs" / "contracts.md").read_text()
COMPONENTS = ROOT / "infra" / "elasticsearch" / "components"
JSON_TYPES = {
    "keyword": {"string", "array of strings"},
    "text": {"string"},
    "date": {"string"},
    "date_nanos": {"string"},
    "double": {"number"},
    "long": {"integer"},
    "integer": {"integer"},
    "short": {"integer"},
    "object": {"object", "object of numbers", "array of objects"},
    "flattened": {"object"},
    "boolean": {"boolean"},
}


def table(title: str, key: str = "field") -> dict[str, dict[str, str]]:
    """Return the rows under a heading, by the code in one column."""
    return {first_code(row[key]): row for row in rows(section(PAGE, title)) if key in row}


def mapping(name: str) -> dict[str, str]:
    """Return the types of a component's fields, those of objects by their paths."""
    template = json.loads((COMPONENTS / f"{name}.json").read_text())["template"]
    return dict(_flat(template["mappings"]["properties"], ""))


def _flat(properties: dict[str, Any], path: str) -> list[tuple[str, str]]:
    found = []
    for name, field in properties.items():
        found.append((f"{path}{name}", field.get("type", "object")))
        found += _flat(field.get("properties", {}), f"{path}{name}.")
    return found


FIELDS = [
    ("Trade", "trade-fields"),
    ("Anomaly", "anomaly-fields"),
    ("Correction", "correction-fields"),
    ("Feed event", "feed-event-fields"),
    ("Alert", "alert-fields"),
    ("Delivery", "delivery-fields"),
    ("Silence", "silence-fields"),
    ("Case entry", "case-fields"),
    ("Verdict", "verdict-fields"),
    ("View", "view-fields"),
    ("Profile", "profile-fields"),
]
"""Sections, and the components of the mappings that they describe."""


@pytest.mark.parametrize(("title", "component"), FIELDS)
def test_fields_are_those_of_the_mapping(title: str, component: str) -> None:
    documented = table(title)
    assert {name: row["mapping"] for name, row in documented.items()} == mapping(component)
    for row in documented.values():
        assert row["JSON type"] in JSON_TYPES[row["mapping"]], row


def test_a_trades_fields_come_in_the_order_of_the_table() -> None:
    columns: dict[str, Any] = {**COLUMNS, **REQUIRED, **OPTIONAL, **TRADE_FIELDS, "own": pl.String}
    values: dict[object, list[object]] = {pl.String: ["B"], pl.List(pl.String): [["B"]], pl.Boolean: [False]}
    one = {name: values.get(kind, [1]) for name, kind in columns.items()}
    fields = (*ENCODING.fields, *TRADE_FIELDS)
    encoding = replace(ENCODING, fields=fields, times=(*ENCODING.times, "tape_time"), extra=("own",))
    written = reconciled(to_json(pl.DataFrame(one, schema=columns), encoding)[0])
    assert list(orjson.loads(written)) == list(table("Trade"))


def test_a_trades_required_fields_are_those_of_the_decoder() -> None:
    required = {field.encode_name for field in msgspec.structs.fields(Trade) if field.required}
    assert {name for name, row in table("Trade").items() if row["required"] == "yes"} == required


def test_an_anomalys_fields_come_in_the_order_of_the_table() -> None:
    rule = Rule(1.0, 0.5, 1.5, "2026-01-01T00:30:00Z")
    detection = Detection(
        "high_volume", "High Volume", 0.6, 2.0, 1.0, 1.5, "why", rule, DetectionModel("trades", "ab", "abcd")
    )
    anomaly = Anomaly(
        ["High Volume"],
        0.6,
        Severity.LOW,
        "Why.",
        [detection],
        {},
        {},
        "2024-12-02",
        Model("a", "b", "c"),
        "first",
        "last",
        2,
        1,
        ["earnings"],
        1.5,
    )
    fields = orjson.loads(anomaly_json(trade_json(1), anomaly, dt.datetime(2026, 1, 1, tzinfo=dt.UTC)))
    own = dict(list(fields.items())[len(orjson.loads(trade_json(1))) :])
    assert list(_paths(own, "")) == list(table("Anomaly"))


def _paths(fields: dict[str, Any], path: str) -> Iterator[str]:
    """Yield the paths of fields, those inside an object, or inside the first of several, behind its own."""
    for name, value in fields.items():
        yield f"{path}{name}"
        inner = value[0] if isinstance(value, list) else value
        if isinstance(inner, dict):
            yield from _paths(inner, f"{path}{name}.")


@pytest.mark.parametrize(
    ("title", "kind"),
    [
        ("Correction", Correction),
        ("Feed event", FeedEvent),
        ("Alert", Alert),
        ("Delivery", Delivery),
        ("Silence", Silence),
    ],
)
def test_what_is_published_beside_trades_and_anomalies_has_the_fields_of_the_table(
    title: str, kind: type[msgspec.Struct]
) -> None:
    documented = {name for name in table(title) if "." not in name}
    assert documented == {field.encode_name for field in msgspec.structs.fields(kind)}


def test_events_of_feeds_are_those_of_the_table() -> None:
    assert re.findall(r"`(\w+)`", table("Feed event")["event"]["meaning"]) == list(get_args(EventName))


def test_topics_have_the_settings_of_the_table() -> None:
    documented = table("Topics", "topic")
    assert documented.keys() == TOPICS.keys()
    assert f"with {DEFAULT_PARTITIONS} partitions" in PAGE
    for name, settings in TOPICS.items():
        row = documented[name]
        assert row["cleanup policy"] == settings["cleanup.policy"]
        kept = settings.get("retention.ms")
        assert row["retention"] == (f"{int(kept) // DAY_MS} days" if kept else "newest per key")
        largest = settings.get("max.message.bytes")
        told = row["largest message (bytes)"]
        assert told == (f"{int(largest):,}" if largest else "broker's default")
        assert settings["message.timestamp.type"] == "LogAppendTime"


def test_detectors_have_the_labels_of_the_table() -> None:
    documented = table("Labels and severities", "detector")
    assert {name: row["label"] for name, row in documented.items()} == {
        name: spec.label for name, spec in DETECTORS.items()
    }


def test_severities_begin_at_the_scores_of_the_table() -> None:
    found = [row for row in rows(section(PAGE, "Labels and severities")) if "severity" in row]
    starts = {row["severity"]: row["score from"] for row in found}
    assert starts.keys() == set(Severity)
    for least, severity in SEVERITIES:
        numerator, _, denominator = starts[severity].partition("/")
        assert float(numerator) / float(denominator or 1) == least


class _Message:
    """A message of a topic with a header of its own, and optionally with that of a replay."""

    def topic(self) -> str:
        return "trades"

    def partition(self) -> int:
        return 3

    def offset(self) -> int:
        return 7

    def key(self) -> bytes:
        return b"NVDA"

    def value(self) -> bytes:
        return b"?"

    def headers(self) -> list[tuple[str, bytes]]:
        return [("NAME", b"x"), (dead_letter.REPLAYED, b"0-1")]

    def timestamp(self) -> tuple[int, int]:
        return (2, 1_733_149_800_000)


class _Producer:
    """Records the headers of what is produced."""

    def __init__(self) -> None:
        self.headers: dict[str, object] = {}

    def produce(self, *_: object, headers: dict[str, object], **__: object) -> None:
        self.headers = headers


def test_dead_letters_have_the_headers_of_the_table() -> None:
    documented = table("Dead letter", "header")
    of_row: Any = _Producer()
    dead_letters.publish_rejected_row(of_row, "producer", "why", b"raw", "day.csv", 2)
    assert {name for name, row in documented.items() if row["of a row"] == "yes"} == of_row.headers.keys()
    of_message: Any = _Producer()
    message: Any = _Message()
    dead_letters.publish_rejected_message(of_message, "detector", "why", message)
    told = {name for name, row in documented.items() if row["of a message"] == "yes"}
    assert told == of_message.headers.keys()


def test_anomalies_have_the_headers_of_the_table() -> None:
    assert f"Header `{TRADE_OFFSET}`" in section(PAGE, "Anomaly")
    assert list(table("Anomaly", "header")) == [TAPE_CLOCK, BROUGHT_AT, TRADE_TIME, JUDGED_AGAIN]


def test_retractions_have_the_headers_of_the_table() -> None:
    producer: Any = _Producer()
    publish_retraction(producer, 0, b"NVDA", "id", "2024-12-02T14:30:00Z", 17)
    assert list(table("Retraction", "header")) == list(producer.headers)


def test_limits_of_dead_letters_are_those_of_the_page() -> None:
    text = section(PAGE, "Dead letter")
    for limit in (
        dead_letters.MAX_ERROR_CHARS,
        dead_letters.MAX_OWN_HEADERS,
        dead_letters.MAX_OWN_HEADER_BYTES,
        DEAD_LETTER_MAX_BYTES,
    ):
        assert re.search(rf"(?<![\d,]){limit:,}(?![\d,])", text), limit


def test_checkpoints_have_the_fields_of_the_table() -> None:
    documented = table("Checkpoint")
    state = SessionState(SessionKey("NVDA", "2024-12-02"), 1, b"", b"", {"tape": b""})
    for column, checkpoint in (
        ("of a session", SessionCheckpoint(0, "p", "l", 5, state)),
        ("of a partition", PartitionCheckpoint(0, "p", "l", 5, None, 0)),
    ):
        value = encode(checkpoint)
        assert value[: len(MAGIC) + 1] == b"TWC\x04"
        content = msgspec.msgpack.decode(zstandard.ZstdDecompressor().decompress(value[len(MAGIC) + 1 :]))
        assert {name for name, row in documented.items() if row[column] == "yes"} == content.keys()
    assert f"version of the format ({VERSION})" in section(PAGE, "Checkpoint")


def test_progress_has_the_fields_of_the_table() -> None:
    written = orjson.loads(msgspec.json.encode(Progress(file="feed", cursor={"of": "a stream"})))
    types = {str: "string", int: "integer", bool: "boolean", dict: "any"}
    assert {name: row["JSON type"] for name, row in table("Producer progress").items()} == {
        name: types[type(value)] for name, value in written.items()
    }


def test_indices_are_those_of_the_table() -> None:
    assert list(table("Indices", "index")) == [
        f"{TRADES_INDEX_PREFIX}YYYY.MM.DD",
        f"{ANOMALIES_INDEX_PREFIX}YYYY.MM",
        f"{CORRECTIONS_INDEX_PREFIX}YYYY.MM",
        f"{FEED_EVENTS_INDEX_PREFIX}YYYY.MM",
        f"{ALERTS_INDEX_PREFIX}YYYY.MM",
        f"{ALERT_DELIVERIES_INDEX_PREFIX}YYYY.MM",
        SILENCES_INDEX,
        CASES_INDEX,
        VERDICTS_INDEX,
        VIEWS_INDEX,
        PROFILES_INDEX,
    ]


def test_services_have_the_ports_and_groups_of_the_table() -> None:
    documented = table("Services", "service")
    assert {name: int(row["port"]) for name, row in documented.items()} == {
        component.service: component.metrics_port for component in SERVICES.values()
    }
    groups = {first_code(row["consumer group"]) for row in documented.values()} - {""}
    assert groups == {component.group for component in SERVICES.values()} - {""}


NOT_COMPARED = ("What may change", "Who rejects what", "Ids", "Promises")
"""Sections with tables in words, which have no counterpart in the code."""


def compared_rows() -> list[str]:
    """Return the rows of all tables that the tests above compare."""
    titles = [title for title in headings(PAGE)[1:] if title not in NOT_COMPARED]
    lines = [line for title in titles for line in section(PAGE, title).splitlines() if line.startswith("|")]
    heads = {i for i, line in enumerate(lines) if set(line) <= set("|-: ")}
    return [line for i, line in enumerate(lines) if i not in heads and i + 1 not in heads]


def fails(test: Callable[..., None], *arguments: str) -> bool:
    try:
        test(*arguments)
    except (AssertionError, KeyError, ValueError):
        return True
    return False


@pytest.mark.parametrize("line", compared_rows())
def test_no_row_of_a_compared_table_can_be_left_out(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "PAGE", PAGE.replace(f"{line}\n", "", 1))
    assert (
        any(fails(test_fields_are_those_of_the_mapping, *names) for names in FIELDS)
        or fails(test_topics_have_the_settings_of_the_table)
        or fails(test_detectors_have_the_labels_of_the_table)
        or fails(test_severities_begin_at_the_scores_of_the_table)
        or fails(test_anomalies_have_the_headers_of_the_table)
        or fails(test_retractions_have_the_headers_of_the_table)
        or fails(test_dead_letters_have_the_headers_of_the_table)
        or fails(test_checkpoints_have_the_fields_of_the_table)
        or fails(test_progress_has_the_fields_of_the_table)
        or fails(test_indices_are_those_of_the_table)
        or fails(test_services_have_the_ports_and_groups_of_the_table)
    )
