import pytest

from tests.chaos.feeds import compare_feed

TAPE = {"X": (1, 6)}


def kinds(numbers: list[int], lost: set[int] | None = None) -> list[str]:
    return [violation.kind for violation in compare_feed({"X": numbers}, {"X": lost or set()}, TAPE)]


def test_a_feed_that_published_all_from_its_first_print_on_is_right() -> None:
    assert kinds([1, 2, 3, 4, 5, 6]) == []
    assert kinds([3, 4, 5, 6]) == []
    assert kinds([1, 2, 5, 6], lost={3, 4}) == []


@pytest.mark.parametrize(
    ("numbers", "kind"),
    [
        ([1, 2, 4, 5, 6], "lost"),
        ([1, 2, 3, 4, 5], "lost"),
        ([], "lost"),
        ([1, 2, 2, 3, 4, 5, 6], "doubled"),
        ([1, 2, 3, 4, 5, 6, 7], "unknown"),
        ([1, 3, 2, 4, 5, 6], "out of order"),
    ],
)
def test_what_is_wrong_is_named(numbers: list[int], kind: str) -> None:
    assert kinds(numbers) == [kind]
