import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.producer import parts
from services.producer.parts import in_parts
from services.sources.base import Chunk, RejectedRow
from services.sources.columns import COLUMNS


def chunk_of(kinds: list[bool], first_line: int = 5, position: int = 0) -> Chunk:
    """Return a chunk with a good or a rejected row in each line."""
    good = [line for line, is_good in enumerate(kinds, first_line) if is_good]
    rejected = [
        RejectedRow(line, b"x" * 10, "no trade")
        for line, is_good in enumerate(kinds, first_line)
        if not is_good
    ]
    columns = {name: ["A"] if kind == pl.String else [1] for name, kind in COLUMNS.items()}
    one = pl.DataFrame(columns, schema=COLUMNS).drop("line")
    trades = pl.DataFrame({"line": good}, schema={"line": pl.Int64}).join(one, how="cross")
    return Chunk(trades, rejected, first_line + len(kinds) - 1, position)


def cut(count: int, cuts: list[int]) -> list[slice]:
    ends = sorted({end for end in cuts if 0 < end < count} | ({count} if count else set()))
    return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]


@settings(deadline=None)
@given(
    kinds=st.lists(st.booleans(), max_size=60),
    cuts=st.lists(st.integers(0, 60), max_size=5),
    group_rows=st.integers(1, 20),
    group_bytes=st.integers(1, 100),
)
def test_behind_each_part_no_earlier_row_is_left(
    kinds: list[bool], cuts: list[int], group_rows: int, group_bytes: int
) -> None:
    chunk = chunk_of(kinds)
    done: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "MAX_SLICE_TRADES", group_rows)
        patch.setattr(parts, "COMMIT_REJECTED_BYTES", group_bytes)
        for part in in_parts(chunk, cut(len(chunk.trades), cuts)):
            assert len(part.rejected) <= group_rows
            done += [*(row.line for row in part.rejected), *part.trades["line"]]
            assert sorted(done) == list(range(5, 5 + len(done)))
            assert part.cursor == max(done)
    assert len(done) == len(kinds)


@settings(deadline=None)
@given(kinds=st.lists(st.booleans(), max_size=60), stop=st.integers(0, 60))
def test_where_trades_end_early_nothing_behind_them_comes(kinds: list[bool], stop: int) -> None:
    chunk = chunk_of(kinds)
    stop = min(stop, len(chunk.trades))
    found = list(in_parts(chunk, [slice(0, stop)] if stop else []))
    trades = [line for part in found for line in part.trades["line"]]
    assert trades == chunk.trades["line"].to_list()[:stop]
    if stop < len(chunk.trades):
        next_line = chunk.trades["line"][stop]
        assert all(row.line < next_line for part in found for row in part.rejected)


def test_position_moves_from_the_chunks_beginning_to_its_end() -> None:
    chunk = chunk_of([True] * 4, position=300)
    found = in_parts(chunk, [slice(0, 1), slice(1, 4)], position=100)
    assert [part.position for part in found] == [150, 300]
