import time
from pathlib import Path

import pytest

from services.alerter.channels.base import Accepted, Failed, Gone
from services.alerter.channels.http import Endpoint, retry_after_s
from tests.certificates import Authority, needs_openssl
from tests.standins.receivers.faults import ReceiverFault, ReceiverFaultKind
from tests.standins.receivers.process import ReceiverProcess
from tests.unit.services.alerter.channels.samples import SLACK_PATH

BODY = b'{"text":"one","blocks":[{"type":"section","block_id":"1","text":{"type":"mrkdwn","text":"x"}}]}'


def post_through(
    receiver: ReceiverProcess, kind: ReceiverFaultKind, amount: float = 1.0
) -> tuple[Accepted | Failed | Gone, int, float]:
    """Post once to a receiver with a fault; returns the answer, how much it has taken, and the seconds."""
    receiver.reset([ReceiverFault(kind, 0, amount)])
    endpoint = Endpoint(receiver.url(SLACK_PATH), option="url", allow_private=True)
    began_s = time.monotonic()
    answer = endpoint.post(BODY, {})
    return answer, len(receiver.taken()), time.monotonic() - began_s


def test_what_is_taken_is_accepted(receiver: ReceiverProcess) -> None:
    endpoint = Endpoint(receiver.url(SLACK_PATH), option="url", allow_private=True)

    assert endpoint.post(BODY, {"X-Own": "1"}) == Accepted(200)

    taken = receiver.taken()[0]
    assert taken.body == BODY
    assert taken.headers["x-own"] == "1"
    assert taken.headers["host"] == f"127.0.0.1:{receiver.port}"


def test_a_refused_request_has_its_answer_in_the_reason(receiver: ReceiverProcess) -> None:
    endpoint = Endpoint(receiver.url(SLACK_PATH), option="url", allow_private=True)

    assert endpoint.post(b"{", {}) == Failed("it answered 400: invalid_payload", 400)


def test_an_error_is_a_failed_try(receiver: ReceiverProcess) -> None:
    assert post_through(receiver, "error")[0] == Failed("it answered 500: internal error", 500)


def test_a_busy_receiver_says_how_long_to_wait(receiver: ReceiverProcess) -> None:
    assert post_through(receiver, "busy", 7)[0] == Failed("it answered 429: too many", 429, 7.0)


def test_410_means_gone(receiver: ReceiverProcess) -> None:
    assert post_through(receiver, "gone")[0] == Gone("it answered 410, that it wants nothing more: gone", 410)


def test_a_redirect_is_not_followed(receiver: ReceiverProcess) -> None:
    receiver.reset([ReceiverFault("redirect", 0)])
    endpoint = Endpoint(receiver.url(SLACK_PATH), option="url", allow_private=True)
    answer = endpoint.post(BODY, {})
    state = receiver.state()

    assert answer == Failed("it answered 302, a redirect, which is not followed", 302)
    assert (state["requests"], state["strayed"]) == (1, 0)


def test_a_cut_within_the_answer_s_first_line_is_a_failed_try(receiver: ReceiverProcess) -> None:
    answer, taken, _ = post_through(receiver, "cut")

    assert isinstance(answer, Failed)
    assert answer.reason.startswith("the connection was lost before the answer")
    assert taken == 1


def test_a_cut_after_the_answer_s_status_is_accepted(receiver: ReceiverProcess) -> None:
    answer, taken, _ = post_through(receiver, "half")

    assert answer == Accepted(200)
    assert taken == 1


def test_a_reset_is_a_failed_try(receiver: ReceiverProcess) -> None:
    answer, taken, _ = post_through(receiver, "reset")

    assert isinstance(answer, Failed)
    assert answer.status is None
    assert taken == 0


def test_a_slow_answer_is_waited_for(receiver: ReceiverProcess) -> None:
    assert post_through(receiver, "slow", 0.5)[:2] == (Accepted(200), 1)


@pytest.mark.parametrize("kind", ["hang", "drip"])
def test_no_receiver_costs_more_than_the_limit(
    receiver: ReceiverProcess, kind: ReceiverFaultKind, short_timeout: float
) -> None:
    answer, _, seconds = post_through(receiver, kind, 4.0)

    assert answer == Failed(f"it did not answer within {short_timeout:g} s")
    assert seconds < 3


def test_an_answer_that_never_ends_is_read_up_to_a_bound(receiver: ReceiverProcess) -> None:
    answer, _, seconds = post_through(receiver, "huge")

    assert isinstance(answer, Failed)
    assert answer.status == 500
    assert len(answer.reason) < 300
    assert seconds < 5


def test_private_addresses_are_refused(receiver: ReceiverProcess) -> None:
    answer = Endpoint(receiver.url(SLACK_PATH), option="url").post(BODY, {})

    assert isinstance(answer, Failed)
    assert "127.0.0.1, which is not a public one" in answer.reason
    assert receiver.state()["requests"] == 0


@needs_openssl
def test_certificates_are_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path / "ca")
    good, other = authority.issue("good"), authority.issue("other", "DNS:elsewhere.example")
    answers = {}
    for name, certificate in (("good", good), ("other", other)):
        log, both = tmp_path / name, str(certificate.both)
        with ReceiverProcess("http", log, arguments=("--certificate", both)) as receiver:
            url = receiver.url(SLACK_PATH, "https")
            if name == "good":
                answers["unknown"] = Endpoint(url, option="url", allow_private=True).post(BODY, {})
                monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))
            answers[name] = Endpoint(url, option="url", allow_private=True).post(BODY, {})

    assert answers["good"] == Accepted(200)
    for name in ("unknown", "other"):
        answer = answers[name]
        assert isinstance(answer, Failed)
        assert answer.reason.startswith("its certificate is not accepted")


def test_plain_text_on_a_port_for_tls_is_a_failed_try(receiver: ReceiverProcess) -> None:
    answer = Endpoint(receiver.url("/", "https"), option="url", allow_private=True).post(BODY, {})

    assert isinstance(answer, Failed)
    assert answer.reason.startswith("no TLS connection")


@pytest.mark.parametrize(
    "url",
    [
        *("", "example.com", "ftp://example.com/", "http://", "http://example.com:0/", "http://a:b:c/"),
        *(
            "http://example.com:99999/",
            "http://example.com/a b",
            "http://example.com/\r\nX: y",
            "http://[::1/",
        ),
        *("http://example.com/ü", f"http://{'a' * 70}.example/"),
    ],
)
def test_what_is_no_url_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ValueError, match="the option url_file is not an http or https URL") as error:
        Endpoint(url, option="url_file")

    assert not url or url not in str(error.value)


def test_a_url_has_no_password() -> None:
    with pytest.raises(ValueError, match="user or password") as error:
        Endpoint("https://user:pass-w0rd@example.com/", option="url")

    assert "pass-w0rd" not in str(error.value)


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        *[("120", None, 120.0), (" 0 ", None, 0.0), (None, None, None), ("", None, None), ("-5", None, None)],
        *[("1.5", None, None), ("soon", None, None), ("9" * 30, None, None), ("٣", None, None)],
        ("Mon, 02 Dec 2024 14:31:00 GMT", "Mon, 02 Dec 2024 14:30:00 GMT", 60.0),
        ("Mon, 02 Dec 2024 14:29:00 GMT", "Mon, 02 Dec 2024 14:30:00 GMT", 0.0),
        ("Mon, 02 Dec 2024 14:31:00 GMT", None, 0.0),
        ("Mon, 99 Dec 2024 14:31:00 GMT", None, None),
    ],
)
def test_retry_after_is_seconds_or_a_moment(
    value: str | None, date: str | None, seconds: float | None
) -> None:
    assert retry_after_s(value, date) == seconds
