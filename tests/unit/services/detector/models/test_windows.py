import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.detector.models.windows import Windows


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=30), st.integers(1, 5))
def test_a_window_has_the_last_remembered_prints_of_its_symbol(
    prints: list[tuple[int, bool]], length: int
) -> None:
    symbol = np.array([one for one, _ in prints])
    is_remembered = np.array([one for _, one in prints])
    values = np.arange(2 * len(prints), dtype=np.float32).reshape(-1, 2)
    found = Windows(symbol, is_remembered).of(values, np.arange(len(prints)), length)
    for row, window in enumerate(found.reshape(-1, length, 2)):
        before = [at for at in range(row) if symbol[at] == symbol[row] and is_remembered[at]]
        expected = [*before, row][-length:] if length > 1 else [row]
        np.testing.assert_array_equal(window[length - len(expected) :], values[expected])
        assert np.isnan(window[: length - len(expected)]).all()


def test_windows_of_some_prints_are_those_of_all() -> None:
    windows = Windows(np.array([0, 1, 0, 0]), np.ones(4, bool))
    values = np.arange(8, dtype=np.float32).reshape(-1, 2)
    some = np.array([3, 0])
    np.testing.assert_array_equal(windows.of(values, some, 3), windows.of(values, np.arange(4), 3)[some])
