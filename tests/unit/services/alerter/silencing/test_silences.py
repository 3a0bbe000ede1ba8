import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.alerter.silencing.silences import Silences, ended, matches, new_silence
from services.alerter.times import to_seconds
from services.contracts.alert import Matcher, decode_silence, encode
from services.contracts.anomaly import Severity
from tests.unit.services.alerter.sending.samples import NOON_S, an_alert

ALERT = an_alert(labels=["Large Size", "Off-Market Price"], severity=Severity.MEDIUM)


@pytest.mark.parametrize(
    ("matcher", "expected"),
    [
        (Matcher(), True),
        (Matcher(symbols=["NVDA"]), True),
        (Matcher(symbols=["AMD", "NV*"]), True),
        (Matcher(symbols=["AMD"]), False),
        (Matcher(labels=["Off-Market Price"]), True),
        (Matcher(labels=["Burst"]), False),
        (Matcher(rules=["all"]), True),
        (Matcher(rules=["other"]), False),
        (Matcher(channels=["desk"]), True),
        (Matcher(channels=["pager"]), False),
        (Matcher(below=Severity.HIGH), True),
        (Matcher(below=Severity.MEDIUM), False),
        (Matcher(symbols=["NVDA"], labels=["Burst"]), False),
        (Matcher(symbols=["NVDA"], below=Severity.CRITICAL), True),
    ],
)
def test_a_matcher_fits_if_every_field_that_is_given_fits(matcher: Matcher, expected: bool) -> None:
    assert matches(matcher, ALERT, "desk") is expected


@given(st.floats(0.001, 1e7), st.floats(-1e7, 2e7))
def test_a_silence_ends_by_itself(for_s: float, after_s: float) -> None:
    silences = Silences()
    silence = new_silence(Matcher(symbols=["NVDA"]), for_s, "works", "Ada", NOON_S)
    silences.put(decode_silence(encode(silence)))
    now_s = NOON_S + after_s
    found = silences.matching(ALERT, "desk", now_s)
    assert found == (silence if now_s < to_seconds(silence.expires_at) else None)
    assert to_seconds(silence.expires_at) == pytest.approx(NOON_S + for_s, abs=1e-5)


def test_the_newest_message_of_an_id_counts() -> None:
    silences = Silences()
    first = new_silence(Matcher(symbols=["*"]), 3600, "works", "Ada", NOON_S)
    other = new_silence(Matcher(symbols=["AMD"]), 3600, "works", "Ada", NOON_S)
    for silence in (first, other, ended(first, "Bob", NOON_S + 60)):
        silences.put(silence)
    assert silences.matching(ALERT, "desk", NOON_S + 61) is None
    assert silences.open_at(NOON_S + 61) == [other]
    assert [each.expired_by for each in silences.all()] == ["Bob", None]


def test_a_silence_that_was_ended_is_over_though_the_other_clock_is_ahead() -> None:
    silences = Silences()
    silence = new_silence(Matcher(symbols=["*"]), 3600, "works", "Ada", NOON_S)
    silences.put(ended(silence, "Bob", NOON_S + 600))
    assert silences.matching(ALERT, "desk", NOON_S + 1) is None


def test_a_silence_that_does_not_say_what_it_is_about_holds_nothing_back() -> None:
    with pytest.raises(ValueError, match="which alerts"):
        Silences().put(new_silence(Matcher(), 3600, "works", "Ada", NOON_S))


def test_a_silence_with_a_condition_of_the_future_is_not_read_without_it() -> None:
    written = encode(new_silence(Matcher(symbols=["*"]), 3600, "works", "Ada", NOON_S))
    with pytest.raises(ValueError, match="venues"):
        decode_silence(written.replace(b'"symbols"', b'"venues":["kraken"],"symbols"'))


def test_a_time_that_is_none_is_refused() -> None:
    silence = new_silence(Matcher(symbols=["*"]), 3600, "works", "Ada", NOON_S)
    with pytest.raises(ValueError, match="isoformat"):
        Silences().put(msgspec.structs.replace(silence, expires_at="soon"))
