from itertools import pairwise

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from services.sources.ordinals import Ordinals

PRINTS = st.lists(st.tuples(st.sampled_from(["A", "B", "A-1"]), st.integers(0, 4)), max_size=40)


def frame(prints: list[tuple[str, int]]) -> pl.DataFrame:
    return pl.DataFrame(prints, schema={"symbol": pl.String, "ts_event": pl.Int64}, orient="row")


@settings(deadline=None, max_examples=60)
@given(prints=PRINTS, cuts=st.sets(st.integers(0, 40)))
def test_prints_of_a_symbol_and_time_are_counted_in_the_files_order_however_it_is_cut(
    prints: list[tuple[str, int]], cuts: set[int]
) -> None:
    counts: dict[tuple[str, int], int] = {}
    expected = []
    for one in prints:
        counts[one] = counts.get(one, 0) + 1
        expected.append(counts[one])
    ordinals = Ordinals()
    ends = [0, *sorted(cut for cut in cuts if cut < len(prints)), len(prints)]
    found = []
    for start, end in pairwise(ends):
        found += ordinals.number(frame(prints[start:end])).to_list()
    assert found == expected
