import pytest

from services.common.durations import duration_text


@pytest.mark.parametrize(
    ("seconds", "decimals", "text"),
    [
        (-3, 0, "0 s"),
        (41.4, 0, "41 s"),
        (41.46, 1, "41.5 s"),
        (119, 0, "119 s"),
        (120, 1, "2 min"),
        (7_200, 0, "2 h"),
        (2 * 86_400, 0, "2 d"),
        (2_000 * 86_400, 0, "2,000 d"),
    ],
)
def test_a_length_of_time_is_written_in_the_unit_that_fits(seconds: float, decimals: int, text: str) -> None:
    assert duration_text(seconds, decimals) == text
