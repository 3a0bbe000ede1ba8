import shlex

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from cli.silences import commands, seconds_of
from services.alerter.silencing.words import (
    add_command,
    duration_text,
    expire_command,
    matcher_text,
    names_of,
)
from services.contracts.alert import Matcher
from services.contracts.anomaly import Severity
from tests.alerts import SILENCE

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)
NAMES = st.lists(TEXTS.filter(lambda text: names_of([text]) == [text]), max_size=3)
MATCHERS = st.builds(Matcher, NAMES, NAMES, NAMES, NAMES, st.sampled_from([None, *Severity]))


@given(MATCHERS, st.integers(1, 365 * 86_400), TEXTS, TEXTS)
def test_the_command_makes_the_same_silence(matcher: Matcher, for_s: int, reason: str, author: str) -> None:
    got: list[tuple[object, ...]] = []

    def run_add(_settings: object, *arguments: object) -> int:
        got.append(arguments)
        return 0

    words = shlex.split(add_command(matcher, for_s, reason, author))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("services.alerter.sending.silence_commands.run_add", run_add)
        patch.setattr("services.common.process.logs.configure_logs", lambda _: None)
        result = CliRunner().invoke(commands, words[2:])
    assert result.exit_code == 0, result.output
    assert got == [(matcher, for_s, reason, author)]


def test_a_silence_is_ended_by_its_id() -> None:
    assert expire_command(SILENCE, "Kim Lee") == "tapewatch silence expire lunch --author 'Kim Lee'"


@given(st.integers(1, 365 * 86_400))
def test_a_time_is_written_as_commands_read_it(seconds: int) -> None:
    assert seconds_of(duration_text(seconds)) == seconds


def test_times_use_the_largest_units() -> None:
    assert [duration_text(s) for s in (0, 59.6, 1800, 5400, 86_400, 90_061)] == [
        *("0s", "1m", "30m", "1h30m", "1d", "1d1h1m1s"),
    ]


def test_what_a_silence_is_about_reads_as_a_line() -> None:
    assert matcher_text(SILENCE.matcher) == (
        "symbols LOOK, BTC-*; labels Z-Score; rules anomalies; channels desk; below high"
    )
    assert matcher_text(Matcher()) == "all"


def test_names_are_given_with_commas_or_one_by_one() -> None:
    assert names_of(["NVDA, BTC-*", "AMD", ""]) == ["NVDA", "BTC-*", "AMD"]
    assert names_of(None) == []


def test_a_time_of_nothing_is_refused_by_the_command() -> None:
    with pytest.raises(typer.BadParameter):
        seconds_of(duration_text(0))
