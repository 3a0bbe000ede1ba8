import pytest
import typer

from cli.silences import seconds_of
from services.alerter.sending.silence_commands import run_add
from services.common.config.settings import Settings
from services.common.errors import TapewatchError
from services.contracts.alert import Matcher


@pytest.mark.parametrize(
    ("text", "expected_s"),
    [("90s", 90), ("30m", 1_800), ("2h", 7_200), ("1h30m", 5_400), ("7d", 604_800), ("1.5h", 5_400)],
)
def test_a_time_is_read_with_its_units(text: str, expected_s: float) -> None:
    assert seconds_of(text) == expected_s


@pytest.mark.parametrize("text", ["", "2", "h", "2 h", "-2h", "2h x", "0s", "366d", "2w", "h2"])
def test_what_is_no_time_or_too_long_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="1h30m"):
        seconds_of(text)


def test_a_silence_of_everything_must_be_meant() -> None:
    with pytest.raises(TapewatchError, match="every alert") as refused:
        run_add(Settings(), Matcher(), 60, "works", "Ada")
    assert "the symbol *" in refused.value.hint


@pytest.mark.parametrize(("reason", "author"), [(" ", "Ada"), ("works", "")])
def test_a_silence_without_reason_or_author_is_refused(reason: str, author: str) -> None:
    with pytest.raises(TapewatchError, match="a reason and an author"):
        run_add(Settings(), Matcher(symbols=["NVDA"]), 60, reason, author)
