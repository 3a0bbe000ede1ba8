from pathlib import Path

import polars as pl
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from services.common.errors import TapewatchError
from services.sources import lines
from services.sources.base import RejectedRow, Source
from services.sources.columns import COLUMNS
from services.sources.databento.csv import DatabentoCsv
from tests.samples import row, write_csv


def read(source: Source, after: int | None = None) -> tuple[pl.DataFrame, list[RejectedRow]]:
    chunks = list(source.chunks(after))
    return pl.concat([chunk.trades for chunk in chunks]), [one for chunk in chunks for one in chunk.rejected]


@settings(max_examples=25, deadline=None)
@given(
    kinds=st.lists(st.sampled_from(["good", "bad", ""]), min_size=1, max_size=40),
    publisher=st.sampled_from(["1", "2"]),
    chunk_lines=st.integers(1, 50),
    data=st.data(),
)
def test_a_file_resumes_behind_any_line_with_the_same_rows_and_ids(
    tmp_path_factory: pytest.TempPathFactory,
    kinds: list[str],
    publisher: str,
    chunk_lines: int,
    data: st.DataObject,
) -> None:
    # Of publisher 1 all prints share a number, so an id counts those before.
    rows = [row(1, publisher_id=publisher) if kind == "good" else kind for kind in kinds]
    path = write_csv(tmp_path_factory.mktemp("file") / "day.csv", rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "CHUNK_LINES", chunk_lines)
        source = DatabentoCsv(path)
        trades, rejected = read(source)
        after = data.draw(st.integers(1, len(rows) + 1))
        rest, rest_rejected = read(source, after)
        cursors = [chunk.cursor for chunk in source.chunks()]
    assert_frame_equal(rest, trades.filter(pl.col("line") > after))
    assert rest_rejected == [one for one in rejected if one.line > after]
    ends = [*trades["line"], *(one.line for one in rejected)]
    assert cursors[-1] == max(ends, default=None)
    assert set(COLUMNS) <= set(trades.columns)


def test_a_copy_has_the_same_identity_and_other_content_another(tmp_path: Path) -> None:
    plain = write_csv(tmp_path / "plain.csv", [row(1)])
    packed = tmp_path / "packed.zst"
    packed.write_bytes(zstandard.compress(plain.read_bytes()))
    longer = write_csv(tmp_path / "longer.csv", [row(1), row(2)])
    identities = [DatabentoCsv(path).identity for path in (plain, packed, longer)]
    assert identities[0] == identities[1] != identities[2]
    assert all(len(bytes.fromhex(identity)) == 32 for identity in identities)


def test_a_file_that_vanishes_is_reported(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "day.csv", [row(1)])
    source = DatabentoCsv(path)
    path.unlink()
    with pytest.raises(TapewatchError, match="cannot be read any more"):
        list(source.chunks())
    with pytest.raises(TapewatchError, match="cannot be read any more"):
        _ = source.identity
