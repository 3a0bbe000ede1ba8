import pytest

from services.contracts.iso_time import iso_ns


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "1970-01-01T00:00:00.000000000Z"),
        (1_764_666_000_000_000_007, "2025-12-02T09:00:00.000000007Z"),
        (9_214_646_399_999_999_999, "2261-12-31T23:59:59.999999999Z"),
    ],
)
def test_ns_are_written_to_the_last_digit(ns: int, text: str) -> None:
    assert iso_ns(ns) == text
