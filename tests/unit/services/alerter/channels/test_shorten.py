import msgspec
import pytest

from services.alerter.channels.shorten import one_line, shortened
from tests.unit.services.alerter.channels.samples import alert, digest


def test_a_short_document_is_whole() -> None:
    assert shortened(alert(), 20_000) == msgspec.to_builtins(alert())


@pytest.mark.parametrize("limit", [3_000, 6_000, 20_000])
def test_a_long_document_is_under_the_limit_and_says_what_was_cut(limit: int) -> None:
    long = alert(labels=["l" * 500] * 60, links={str(n): "https://x" * 90 for n in range(60)})

    found = shortened(long, limit)

    assert len(msgspec.json.encode(found)) <= limit
    assert {"labels", "links"} <= set(found["truncated"])
    for name in ("alert_id", "revision", "@timestamp", "decided_at", "score"):
        assert found[name] == msgspec.to_builtins(long)[name]


def test_a_digest_keeps_every_field_of_its_worst_alert() -> None:
    long = alert(message="m" * 30_000, cancelled=["c"])

    found = shortened(digest(worst=long), 20_000)

    assert found["truncated"] == ["worst"]
    assert list(found["worst"]) == list(msgspec.to_builtins(long))


def test_of_a_long_list_both_ends_are_kept() -> None:
    found = shortened(alert(anomalies=[str(place) for place in range(20_000)]), 20_000)

    assert found["anomalies"][:2] == ["0", "1"]
    assert found["anomalies"][-2:] == ["19998", "19999"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\r\nb\tc", "a b c"),
        ("\x1b[31mred", "[31mred"),
        ("\u202egnp", "gnp"),
        ("ü 😀", "ü 😀"),
        ("\n" * 10_000, "…"),
        ("abcdefghijk", "abcdefghi…"),
        ("", ""),
    ],
)
def test_a_line_has_no_control_characters(text: str, line: str) -> None:
    assert one_line(text, 10) == line
