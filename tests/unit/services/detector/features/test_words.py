import pytest

from services.detector.features.registry import NAMES
from services.detector.features.words import words_of


def test_every_feature_has_words_of_its_own() -> None:
    words = [words_of(name) for name in NAMES]
    assert len(set(words)) == len(NAMES)
    assert not [text for text in words if "_" in text or "{" in text]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("return_1", "the price's change over the last trade"),
        ("return_50ms", "the price's change over 50 ms"),
        ("vwap_deviation_session", "the distance from the mean price by volume of the session"),
        ("rate_z_10s", "the trades of 10 s against the usual ones"),
    ],
)
def test_windows_are_written_out(name: str, words: str) -> None:
    assert words_of(name) == words


def test_a_feature_that_is_not_there_has_no_words() -> None:
    with pytest.raises(KeyError):
        words_of("no_more")
