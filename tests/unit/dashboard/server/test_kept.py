import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from dashboard.server.kept import Kept


@pytest.fixture
def busy_interpreter() -> Iterator[None]:
    """Makes threads switch as often as possible."""
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before_s)


def test_result_is_made_once_and_the_least_recently_used_one_is_dropped() -> None:
    kept = Kept(2)
    made: list[str] = []

    def get(key: str) -> str:
        def make() -> str:
            made.append(key)
            return key.upper()

        return kept.get(key, make)

    assert [get(key) for key in "abac"] == ["A", "B", "A", "C"]
    assert made == ["a", "b", "c"]
    assert ["b" in kept, "a" in kept] == [False, True]


def test_result_that_fails_is_made_again() -> None:
    kept = Kept(2)
    with pytest.raises(ZeroDivisionError):
        kept.get("a", lambda: 1 / 0)
    assert kept.get("a", lambda: 2) == 2


@pytest.mark.usefixtures("busy_interpreter")
def test_kept_result_is_there_for_all_visitors_at_any_moment() -> None:
    kept = Kept(2)
    kept.get("a", lambda: 0)

    def visit(visitor: int) -> int:
        return max(kept.get("a", lambda: visitor) for _ in range(5_000))

    with ThreadPoolExecutor(4) as visitors:
        assert list(visitors.map(visit, range(1, 5))) == [0] * 4


def test_of_two_who_make_a_result_at_once_both_have_the_first() -> None:
    kept = Kept(2)
    inner: list[int] = []

    def make() -> int:
        inner.append(kept.get("a", lambda: 1))
        return 2

    assert kept.get("a", make) == 1
    assert inner == [1]
