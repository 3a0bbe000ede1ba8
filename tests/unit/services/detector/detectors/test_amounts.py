import pytest

from services.detector.detectors.amounts import continued


@pytest.mark.parametrize(
    ("sentence", "additions", "text"),
    [
        ("Size 5", [], "Size 5."),
        ("Size 5.", ["also Burst"], "Size 5; also Burst."),
        ("Size 5", ["2 such prints", "also Burst"], "Size 5; 2 such prints; also Burst."),
        ("Is it a halt?", [], "Is it a halt?"),
        ("Is it a halt?", ["also Burst", "it came 5 s late"], "Is it a halt? Also Burst; it came 5 s late."),
    ],
)
def test_what_is_added_continues_a_statement_and_follows_a_question(
    sentence: str, additions: list[str], text: str
) -> None:
    assert continued(sentence, additions) == text
