from pathlib import Path

import pytest

from services.alerter.offline.anomaly_files import is_of_anomalies, read_anomalies
from services.common.errors import TapewatchError
from tests.samples import HEADER, row
from tests.unit.services.alerter.anomalies import anomaly_message


@pytest.mark.parametrize(
    ("name", "content", "is_one"),
    [
        ("a.txt", anomaly_message() + b"\n", True),
        ("a.ndjson", b"", True),
        ("a.csv", b"", False),
        ("a.ndjson", b'{"symbol": "NVDA", "price": 1}\n', False),
        ("a.csv", f"{HEADER}\n{row()}\n".encode(), False),
        ("a.dbn", b"DBN\x01\x00\xff\xfe", False),
    ],
)
def test_a_files_content_tells_whether_it_holds_anomalies(
    tmp_path: Path, name: str, content: bytes, is_one: bool
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert is_of_anomalies(path) is is_one


def test_every_line_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(anomaly_message(1, "a") + b"\n" + anomaly_message(2, "b") + b"\n")
    assert [seen.trade_id for seen in read_anomalies(path)] == ["a", "b"]


def test_a_line_that_is_no_anomaly_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(anomaly_message(1, "a") + b"\n{}\n")
    with pytest.raises(TapewatchError, match=r"Line 2 of .*\.ndjson is not an anomaly: .* `tapewatch b"):
        list(read_anomalies(path))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(TapewatchError, match="cannot be read"):
        is_of_anomalies(tmp_path / "missing")
