from pathlib import Path

import orjson

from services.detector.offline.decode import decode_chunk
from services.sources.databento.csv import DatabentoCsv
from tests.samples import row, write_csv


def test_what_the_live_detector_would_reject_is_dropped_and_counted(tmp_path: Path) -> None:
    rows = [row(1), row(2, size="many"), row(3, ts_event="9215000000000000000"), row(4)]
    source = DatabentoCsv(write_csv(tmp_path / "day.csv", rows))
    (chunk,) = source.chunks()
    assert (len(chunk.trades), len(chunk.rejected)) == (3, 1)
    decoded = decode_chunk(source, chunk, "America/New_York")
    assert decoded.rejected == 2
    assert [trade.sequence for trade in decoded.trades] == [1001, 1004]
    assert [orjson.loads(value)["sequence"] for value in decoded.values] == [1001, 1004]
    assert decoded.columns.sequence.tolist() == [1001, 1004]
