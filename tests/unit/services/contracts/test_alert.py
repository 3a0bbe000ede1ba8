from collections.abc import Callable

import orjson
import pytest

from services.contracts.alert import (
    Alert,
    Sending,
    alert_id,
    decode_alert,
    decode_delivery,
    decode_silence,
    encode,
)
from tests.alerts import ALERT


def test_whether_it_is_sent_and_where_it_leads_is_always_written() -> None:
    alert = Alert(**required())  # type: ignore[arg-type]
    written = orjson.loads(encode(alert))
    assert written["sending"] == Sending.DUE
    assert written["links"] == {}
    assert decode_alert(encode(alert)) == alert


def required() -> dict[str, object]:
    fields = (name for name in ALERT.__struct_fields__ if name not in OPTIONAL)
    return {name: getattr(ALERT, name) for name in fields}


OPTIONAL = (
    "first_severity",
    "highest_severity",
    "cancelled",
    "inhibited_by",
    "trades",
    "links",
    "sending",
    "is_missed",
    "decided_at",
)


@pytest.mark.parametrize("decode", [decode_alert, decode_delivery, decode_silence])
@pytest.mark.parametrize(
    "value",
    [b"", b"{}", b'{"symbol":"\xff"}', b'{"future":' + b"[" * 10_000, b'{"a":' * 10_000, b'"\\ud800"'],
    ids=["nothing", "no field", "not UTF-8", "deep list", "deep objects", "half a character"],
)
def test_whatever_is_no_document_is_a_value_error(decode: Callable[[bytes], object], value: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode(value)


def test_an_id_tells_every_part_apart() -> None:
    ids = {
        alert_id(*parts)
        for parts in (
            ("rule", "NVDA", "label", "2024-12-02", "trade"),
            ("rul", "eNVDA", "label", "2024-12-02", "trade"),
            ("rule", "NVDA", "", "label2024-12-02", "trade"),
            ("rule", "NVDA", "label", "2024-12-02", "trade2"),
        )
    }
    assert len(ids) == 4
    assert all(len(one) == 32 for one in ids)
