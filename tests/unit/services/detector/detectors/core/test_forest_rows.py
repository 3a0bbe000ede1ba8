import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.detector.detectors.core.forest_rows import PAGE_ROWS, UNUSED_PAGE, ForestRows
from services.detector.detectors.core.state import FOREST_FEATURES, FOREST_ROWS


def numbered(start: int, count: int, session: int) -> np.ndarray:
    """Return rows that contain their number and session."""
    columns = np.zeros((count, FOREST_FEATURES), np.float32)
    columns[:, 0] = np.arange(start, start + count)
    columns[:, 1] = session
    return columns


def append(rows: ForestRows, slot: int, have: int, count: int, session: int) -> int:
    rows.make_room(np.array([slot]), np.array([have + count]))
    rows.write(slot, have, numbered(have, count, session))
    return have + count


@given(
    steps=st.lists(
        st.tuples(st.integers(0, 3), st.one_of(st.none(), st.integers(1, 700))), min_size=1, max_size=60
    )
)
def test_each_session_reads_its_own_newest_rows(steps: list[tuple[int, int | None]]) -> None:
    rows = ForestRows()
    have = dict.fromkeys(range(4), 0)
    session_of = dict.fromkeys(range(4), 0)
    for slot in have:
        rows.open(slot, keeps=True)
    for number, (slot, count) in enumerate(steps, start=1):
        if count is None:  # the slot is given anew
            rows.open(slot, keeps=True)
            have[slot], session_of[slot] = 0, number
        else:
            have[slot] = append(rows, slot, have[slot], count, session_of[slot])
        for each, total in have.items():
            first = max(0, total - FOREST_ROWS)
            expected = numbered(first, total - first, session_of[each])
            assert rows.read(each, first, total).tobytes() == expected.tobytes()


def test_a_session_has_no_more_pages_than_its_rows_need() -> None:
    rows = ForestRows()
    for slot in range(100):
        rows.open(slot, keeps=True)
        append(rows, slot, 0, PAGE_ROWS, slot)
    assert len(np.unique(rows.page_of)) == 100 + 1  # and nobody's
    append(rows, 5, PAGE_ROWS, 1, 5)
    assert len(np.unique(rows.page_of)) == 101 + 1


def test_pages_are_given_again() -> None:
    rows = ForestRows()
    rows.open(0, keeps=True)
    for _ in range(50):
        append(rows, 0, 0, FOREST_ROWS, 1)
        rows.open(0, keeps=True)
    assert len(rows.pages) <= 2 * FOREST_ROWS // PAGE_ROWS


def test_sessions_that_keep_no_rows_get_no_pages() -> None:
    rows = ForestRows()
    rows.open(0, keeps=True)
    rows.open(1, keeps=False)
    rows.make_room(np.array([0, 1]), np.array([1, 10_000]))
    assert (rows.page_of[1] == UNUSED_PAGE).all()
    assert rows.page_of[0, 0] != UNUSED_PAGE
