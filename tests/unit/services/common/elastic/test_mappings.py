import json
from collections.abc import Mapping
from typing import Any

import pytest

from infra.setup.templates import FOLDER
from services.common.elastic.mappings import is_created, matches, wrong_types
from services.contracts.indices import (
    ALERT_FIELD_TYPES,
    ANOMALY_FIELD_TYPES,
    CORRECTION_FIELD_TYPES,
    DELIVERY_FIELD_TYPES,
    FEED_EVENT_FIELD_TYPES,
    PROFILE_FIELD_TYPES,
    SILENCE_FIELD_TYPES,
    TRADE_FIELD_TYPES,
)


def mappings_of(component: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads((FOLDER / f"components/{component}.json").read_text())
    mappings: Mapping[str, Any] = found["template"]["mappings"]
    return mappings


@pytest.mark.parametrize(
    ("component", "types"),
    [
        ("trade-fields", TRADE_FIELD_TYPES),
        ("anomaly-fields", ANOMALY_FIELD_TYPES),
        ("correction-fields", CORRECTION_FIELD_TYPES),
        ("feed-event-fields", FEED_EVENT_FIELD_TYPES),
        ("alert-fields", ALERT_FIELD_TYPES),
        ("delivery-fields", DELIVERY_FIELD_TYPES),
        ("silence-fields", SILENCE_FIELD_TYPES),
        ("profile-fields", PROFILE_FIELD_TYPES),
    ],
)
def test_our_own_templates_give_the_types_of_the_contract(component: str, types: Mapping[str, str]) -> None:
    assert wrong_types(types, mappings_of(component)) == []


def test_each_wrong_type_is_told_with_the_right_one() -> None:
    found = {
        "properties": {
            "price": {"type": "float"},
            "symbol": {"type": "text", "fields": {"keyword": {"type": "keyword"}}},
            "detections": {"properties": {"score": {"type": "float"}}},
        }
    }
    needed = {
        "price": "double",
        "symbol": "keyword",
        "side": "keyword",
        "detections.score": "double",
        "detections.detector": "keyword",
    }
    assert wrong_types(needed, found) == [
        "price as float, not double",
        "symbol as text, not keyword",
        "side without a type, not keyword",
        "detections.score as float, not double",
        "detections.detector without a type, not keyword",
    ]


@pytest.mark.parametrize(
    ("pattern", "is_match"),
    [
        ("*", True),
        ("trades-*", True),
        ("trades-2024.01.02", True),
        ("*.01.*", True),
        ("trades-2024?01?02", False),
        ("trades-", False),
        ("anomalies-*", False),
        ("trades-[0-9]*", False),
    ],
)
def test_only_a_star_is_special_in_a_pattern(pattern: str, is_match: bool) -> None:
    assert matches(pattern, "trades-2024.01.02") == is_match


@pytest.mark.parametrize(
    ("setting", "is_allowed"),
    [
        ("true", True),
        ("false", False),
        ("*", True),
        ("+trades-*,-*", True),
        ("-trades-*,+*", False),
        ("-secret*, +*", True),
        ("logs-*", False),
        ("[+logs-*, +trades-*]", True),
    ],
)
def test_the_first_pattern_that_matches_decides_whether_an_index_is_created(
    setting: str, is_allowed: bool
) -> None:
    assert is_created(setting, "trades-2024.01.02") == is_allowed
