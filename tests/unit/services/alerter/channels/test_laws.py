"""What holds for every registered kind of channel, whatever an alert says."""

import email
import email.policy
import functools
import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.alerter.channels.base import Accepted, Channel, Failed
from services.alerter.channels.registry import CHANNELS
from services.contracts.alert import Alert, AlertState, Digest, Print, Worst
from services.contracts.anomaly import Detection, Severity
from tests.standins.receivers.faults import ReceiverFault, ReceiverFaultKind
from tests.standins.receivers.process import ReceiverProcess
from tests.standins.receivers.protocols import alertmanager, pagerduty, slack
from tests.unit.services.alerter.channels import samples

KINDS = sorted(CHANNELS)
BY_HTTP = ("alertmanager", "pagerduty", "slack", "webhook")
MOST_BYTES = {"pagerduty": 512_000, "webhook": 19_999, "stdout": 8_100}
MOST_OF_OTHERS = 200_000

ODD = st.one_of(
    st.sampled_from(
        [
            *("", " ", "\r\n\r\nBcc: x@y.z\r\n", "ü😀\u202e\u0000\x1b[31m", "<!channel> & <b>`|*_", "\u2028"),
            *("x" * 10_000, "\n" * 10_000, "😀" * 10_000, '"\\' * 5_000, "\x00" * 10_000, "= \t=\r\n.\r\n"),
        ]
    ),
    st.text(st.characters(codec="utf-8"), max_size=50),
)
NUMBERS = st.floats(allow_nan=True, allow_infinity=True)
PRINTS = st.builds(Print, ODD, ODD, NUMBERS, NUMBERS, st.none() | ODD)
MANY = st.lists(ODD, max_size=3).flatmap(lambda some: st.sampled_from([some, some * 100]))
ALERTS = st.builds(
    Alert,
    timestamp=st.just(samples.TRADE.time),
    alert_id=st.just("0123456789abcdef" * 2),
    revision=st.integers(1, 10**6),
    state=st.sampled_from(AlertState),
    symbol=ODD,
    session=ODD,
    rule=ODD,
    group=ODD,
    labels=MANY,
    severity=st.sampled_from(Severity),
    score=NUMBERS,
    count=st.integers(0, 10**9),
    message=ODD,
    first_trade=ODD,
    last_trade=ODD,
    last_time=st.just(samples.TRADE.time),
    anomalies=MANY,
    worst=st.builds(
        Worst,
        trade=PRINTS,
        detections=st.lists(
            st.builds(Detection, ODD, ODD, NUMBERS, NUMBERS, NUMBERS, NUMBERS, ODD), max_size=12
        ),
        source=st.none() | ODD,
        venue=st.none() | ODD,
    ),
    quiet_s=st.floats(0, 1e6),
    first_severity=st.none() | st.sampled_from(Severity),
    highest_severity=st.none() | st.sampled_from(Severity),
    cancelled=MANY,
    inhibited_by=st.none() | ODD,
    trades=st.lists(PRINTS, max_size=12),
    links=st.dictionaries(ODD, ODD | st.just("https://x.example/?q=1"), max_size=12),
    decided_at=st.sampled_from(["", "2024-12-02T14:30:09.200000Z", "2024-12-02T14:30:09Z"]),
)
DIGESTS = st.builds(
    Digest,
    timestamp=st.just("2024-12-02T15:00:00Z"),
    digest_id=st.just("d" * 32),
    channel=ODD,
    count=st.integers(0, 10**9),
    alerts=st.integers(0, 10**9),
    reason=ODD,
    worst=ALERTS,
)


def channel(kind: str, folder: Path, base: str = "http://127.0.0.1:9") -> Channel:
    if kind == "apprise":
        pytest.importorskip("apprise", reason="the extra alerts-apprise is not installed")
    return samples.opened(kind, samples.options(kind, folder, base))


@functools.cache
def kept(kind: str, folder: Path, copy: int = 0) -> Channel:
    """Return a channel that is opened once for all examples of a test."""
    return channel(kind, folder)


def leaks(text: str) -> list[str]:
    return [secret for secret in samples.SECRETS if secret in text]


@pytest.mark.parametrize("kind", KINDS)
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(notice=ALERTS | DIGESTS)
def test_a_message_is_whole_bounded_and_equal_each_time(
    kind: str, notice: Alert | Digest, tmp_path: Path
) -> None:
    first, again = kept(kind, tmp_path), kept(kind, tmp_path, 1)
    message = first.message(notice)

    assert first.message(notice) == message == again.message(notice)
    assert 0 < len(message.body) <= MOST_BYTES.get(kind, MOST_OF_OTHERS)
    assert message.key == (
        notice.digest_id if isinstance(notice, Digest) else f"{notice.alert_id}.{notice.revision}"
    )
    assert leaks(repr(message) + message.body.decode()) == []
    assert_whole(kind, message.body)
    for name, value in message.headers.items():
        assert (name + value).isprintable()


def assert_whole(kind: str, body: bytes) -> None:
    """Check that the protocol's own reader takes the body."""
    if kind in ("alertmanager", "apprise", "pagerduty", "slack", "webhook"):
        json.loads(body)
    elif kind == "email":
        mail = email.message_from_bytes(body, policy=email.policy.SMTP)
        assert mail["To"] == "desk@mail.example, second@mail.example"
        assert [mail[name] for name in ("Bcc", "Cc")] == [None, None]
        parts = [part.get_content_type() for part in mail.walk()]
        assert parts == ["multipart/alternative", "text/plain", "text/html"]
        assert not any(part.defects for part in mail.walk())
        assert max(len(line) for line in body.split(b"\r\n")) <= 998
    else:
        assert body.count(b"\n") == 2
        assert body.decode().replace("\n", "").isprintable()


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(notice=ALERTS | DIGESTS)
def test_every_receiver_by_http_takes_odd_content(notice: Alert | Digest, tmp_path: Path) -> None:
    for kind, check in (("slack", slack), ("alertmanager", alertmanager)):
        check(kept(kind, tmp_path).message(notice).body, {}, [])
    event = kept("pagerduty", tmp_path).message(notice).body
    pagerduty(msgspec.json.encode({**json.loads(event), "routing_key": samples.ROUTING_KEY}), {}, [])


@pytest.mark.parametrize("kind", KINDS)
def test_no_secret_is_in_a_channel_s_text(kind: str, tmp_path: Path) -> None:
    opened = channel(kind, tmp_path)

    assert leaks(repr(opened) + str(opened)) == []


@pytest.mark.parametrize("kind", BY_HTTP)
def test_a_receiver_that_echoes_gets_no_secret_into_a_reason(
    kind: str, tmp_path: Path, receiver: ReceiverProcess
) -> None:
    receiver.reset([ReceiverFault("echo", 0)])
    opened = channel(kind, tmp_path, receiver.url(""))
    answer = opened.send(opened.message(samples.alert()))

    assert isinstance(answer, Failed)
    assert answer.status == 500
    assert leaks(answer.reason) == []


@pytest.mark.parametrize("kind", BY_HTTP)
def test_every_kind_is_taken_by_its_receiver(kind: str, tmp_path: Path, receiver: ReceiverProcess) -> None:
    opened = channel(kind, tmp_path, receiver.url(""))
    messages = [opened.message(notice) for notice in (samples.alert(), samples.digest())]
    answers = [opened.send(message) for message in (*messages, messages[0])]
    taken = receiver.taken()

    assert all(isinstance(answer, Accepted) for answer in answers)
    assert [each.key for each in taken] == [messages[0].key, messages[1].key, messages[0].key]
    assert [(each.is_repeat, each.is_equal) for each in taken] == [(False, True), (False, True), (True, True)]


@pytest.mark.parametrize("kind", BY_HTTP)
def test_no_fault_of_a_receiver_is_an_exception(kind: str, tmp_path: Path, receiver: ReceiverProcess) -> None:
    kinds: list[ReceiverFaultKind] = ["error", "busy", "redirect", "reset"]
    faults = [ReceiverFault(fault, place) for place, fault in enumerate(kinds)]
    receiver.reset(faults)
    opened = channel(kind, tmp_path, receiver.url(""))
    message = opened.message(samples.alert())
    answers = [opened.send(message) for _ in faults]
    strayed = receiver.state()["strayed"]
    taken = receiver.taken()

    assert [type(answer) for answer in answers] == [Failed] * 4
    assert [answer.status for answer in answers] == [500, 429, 302, None]
    assert strayed == 0
    assert taken == []


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"stdout", "apprise"}))
def test_a_receiver_that_is_not_there_is_an_answer(kind: str, tmp_path: Path) -> None:
    opened = channel(kind, tmp_path, "http://127.0.0.1:1")

    answer = opened.send(opened.message(samples.alert()))

    assert answer == Failed("cannot connect: connection refused")
