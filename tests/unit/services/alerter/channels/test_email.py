import contextlib
import email
import email.policy
import socket
import threading
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import structlog

from services.alerter.channels import email as channel_module
from services.alerter.channels.base import Accepted, Failed
from services.common.errors import TapewatchError
from services.contracts.alert import Alert, AlertState, Digest
from tests.certificates import Authority, needs_openssl
from tests.standins.receivers.faults import ReceiverFault, ReceiverFaultKind
from tests.standins.receivers.process import ReceiverProcess
from tests.unit.services.alerter.channels import samples

LOGIN = f"watcher:{samples.PASSWORD}"


def options(folder: Path, port: int, **changes: Any) -> dict[str, Any]:
    """Return the options of a channel without a login and encryption, changed."""
    given = samples.options("email", folder, f"http://127.0.0.1:{port}") | {"tls": "none"}
    del given["user"], given["password_file"]
    return given | changes


def mail(notice: Alert | Digest, folder: Path) -> EmailMessage:
    body = samples.opened("email", options(folder, 9)).message(notice).body
    parsed = email.message_from_bytes(body, policy=email.policy.SMTP)
    assert isinstance(parsed, EmailMessage)
    return parsed


def send_through(
    tmp_path: Path, *faults: ReceiverFault, tries: int = 1, **changes: Any
) -> tuple[list[Any], list[Any]]:
    """Send one mail some times; returns the answers and what was taken."""
    with ReceiverProcess("smtp", tmp_path / "taken", faults) as server:
        channel = samples.opened("email", options(tmp_path, server.port, **changes))
        message = channel.message(samples.alert())
        return [channel.send(message) for _ in range(tries)], server.taken()


def test_a_mail_has_its_headers_from_the_alert_alone(tmp_path: Path) -> None:
    found = mail(samples.alert(), tmp_path)

    assert found["From"] == "tapewatch@mail.example"
    assert found["To"] == "desk@mail.example, second@mail.example"
    assert found["Subject"] == "Tapewatch: NVDA, Off-Market Price, 2024-12-02"
    assert found["Date"] == "Mon, 02 Dec 2024 14:30:09 +0000"
    assert found["Message-ID"] == f"<{samples.alert().alert_id}.1@mail.example>"
    assert found["References"] is None
    assert found["Auto-Submitted"] == "auto-generated"
    assert found["X-Tapewatch-Severity"] == "high"


def test_later_revisions_are_in_the_thread_of_the_first(tmp_path: Path) -> None:
    first, later = (
        mail(samples.alert(), tmp_path),
        mail(samples.alert(revision=3, state=AlertState.CLOSED, message="Another."), tmp_path),
    )

    assert later["Message-ID"] == f"<{samples.alert().alert_id}.3@mail.example>"
    assert later["References"] == later["In-Reply-To"] == first["Message-ID"]
    assert later["Subject"] == first["Subject"]


def test_a_mail_has_a_plain_and_an_html_part(tmp_path: Path) -> None:
    plain, marked_up = mail(samples.alert(message="1 < 2 & 3"), tmp_path).iter_parts()

    assert isinstance(plain, EmailMessage)
    assert isinstance(marked_up, EmailMessage)
    assert "HIGH NVDA: 1 < 2 & 3" in plain.get_content()
    assert "14:30:08.75           137.95       5  sell" in plain.get_content()
    assert "HIGH NVDA: 1 &lt; 2 &amp; 3" in marked_up.get_content()
    assert '<a href="https://tapewatch.example/?id=1">Dashboard</a>' in marked_up.get_content()


def test_a_digest_is_a_mail_of_its_own(tmp_path: Path) -> None:
    found = mail(samples.digest(), tmp_path)

    assert found["Subject"] == "Tapewatch: 14 messages held back"
    assert found["Message-ID"] == f"<{'d' * 32}@mail.example>"


def test_no_text_of_an_alert_becomes_a_header(tmp_path: Path) -> None:
    evil = "x\r\nBcc: thief@evil.example\r\n\r\nbody"

    found = mail(samples.alert(symbol=evil, group=evil, session=evil, message=evil), tmp_path)

    assert found["Bcc"] is None
    assert [part.get_content_type() for part in found.iter_parts()] == ["text/plain", "text/html"]


def test_what_the_server_has_taken_is_the_message_to_the_byte(tmp_path: Path) -> None:
    with ReceiverProcess("smtp", tmp_path / "taken") as server:
        channel = samples.opened("email", options(tmp_path, server.port))
        message = channel.message(samples.alert(message=".\r\n. a line\n.that begins with a dot"))
        answer = channel.send(message)
        taken = server.taken()[0]

    assert answer == Accepted(250)
    assert taken.body == message.body
    assert taken.headers["to"] == "desk@mail.example,second@mail.example"


@needs_openssl
@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_mail_and_login_are_encrypted(tls: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path / "ca")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))
    arguments = ["--certificate", str(authority.issue("mail").both)] + ["--implicit"] * (tls == "tls")
    with ReceiverProcess("smtp", tmp_path / "taken", secrets=[LOGIN], arguments=arguments) as server:
        given = samples.options("email", tmp_path, f"http://127.0.0.1:{server.port}") | {"tls": tls}
        channel = samples.opened("email", given)
        answer = channel.send(channel.message(samples.alert()))
        taken = server.taken()

    assert answer == Accepted(250)
    assert [each.headers["tls"] for each in taken] == ["True"]


@needs_openssl
def test_a_certificate_of_nobody_is_refused_before_the_login(tmp_path: Path) -> None:
    certificate = Authority(tmp_path / "ca").issue("mail")
    arguments = ["--certificate", str(certificate.both)]
    with ReceiverProcess("smtp", tmp_path / "taken", secrets=[LOGIN], arguments=arguments) as server:
        given = samples.options("email", tmp_path, f"http://127.0.0.1:{server.port}")
        channel = samples.opened("email", given)
        answer = channel.send(channel.message(samples.alert()))

    assert isinstance(answer, Failed)
    assert answer.reason.startswith("its certificate is not accepted")


def test_a_server_without_encryption_gets_nothing(tmp_path: Path) -> None:
    answers, taken = send_through(tmp_path, tls="starttls")

    assert answers == [Failed("the server does not offer encryption (STARTTLS)")]
    assert taken == []


@needs_openssl
def test_a_wrong_password_is_not_in_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path / "ca")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))
    arguments = ["--certificate", str(authority.issue("mail").both)]
    with ReceiverProcess("smtp", tmp_path / "taken", secrets=["a:b"], arguments=arguments) as server:
        given = samples.options("email", tmp_path, f"http://127.0.0.1:{server.port}")
        channel = samples.opened("email", given)
        answer = channel.send(channel.message(samples.alert()))

    assert answer == Failed("it answered 535: watcher with *** is nobody", 535)


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("error", Failed("it answered 451: local error", 451)),
        ("busy", Failed("it answered 421: too many connections", 421)),
        ("gone", Failed("it answered 550: nobody of that name", 550)),
        ("reset", Failed("the connection was lost before the answer (SMTPServerDisconnected)")),
    ],
)
def test_a_server_s_fault_is_a_failed_try(kind: ReceiverFaultKind, answer: Failed, tmp_path: Path) -> None:
    answers, taken = send_through(tmp_path, ReceiverFault(kind, 0), tries=2)

    assert answers == [answer, Accepted(250)]
    assert len(taken) == 1


def test_a_cut_answer_leads_to_an_equal_mail(tmp_path: Path) -> None:
    answers, taken = send_through(tmp_path, ReceiverFault("cut", 0), tries=2)

    lost = Failed("the connection was lost before the answer (SMTPServerDisconnected)")
    assert answers == [lost, Accepted(250)]
    assert [(each.is_repeat, each.is_equal) for each in taken] == [(False, True), (True, True)]


@pytest.mark.parametrize("kind", ["hang", "drip"])
def test_no_server_costs_more_than_the_limit(
    kind: ReceiverFaultKind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel_module, "TIMEOUT_S", 0.8)

    answers, _ = send_through(tmp_path, ReceiverFault(kind, 0, 4.0))

    # Where the time is up between two reads, the connection seems lost.
    assert answers in (
        [Failed("it did not answer within 0.8 s")],
        [Failed("the connection was lost before the answer (SMTPServerDisconnected)")],
    )


def test_an_answer_without_an_end_is_read_up_to_a_bound(tmp_path: Path) -> None:
    given = 0

    def talk(listening: socket.socket) -> None:
        nonlocal given
        opened, _ = listening.accept()
        with opened, contextlib.suppress(OSError):
            while given < 1 << 30:
                given += opened.send(b"220-" + b"x" * 4_000 + b"\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        talking = threading.Thread(target=talk, args=[listening], daemon=True)
        talking.start()
        channel = samples.opened("email", options(tmp_path, listening.getsockname()[1]))
        answer = channel.send(channel.message(samples.alert()))
        talking.join(10)

    assert answer == Failed("the connection was lost before the answer (SMTPServerDisconnected)")
    assert given < 32 << 20  # what the system's buffers hold besides


def test_an_address_that_is_refused_for_good_keeps_nobody_else_from_the_mail(tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as logged:
        answers, taken = send_through(tmp_path, to=["unknown@mail.example", "desk@mail.example"])

    assert answers == [Accepted(250)]
    assert taken[0].headers["to"] == "desk@mail.example"
    [told] = [entry for entry in logged if entry["log_level"] == "warning"]
    assert (told["channel"], told["refused"]) == ("tested", 1)
    assert told["reason"] == "it answered 550: nobody of that name"


def test_an_address_that_is_refused_for_now_is_waited_for(tmp_path: Path) -> None:
    answers, taken = send_through(tmp_path, to=["desk@mail.example", "busy@mail.example"])

    assert answers == [Failed("it answered 450: come back later", 450)]
    assert taken == []


def test_private_addresses_are_refused(tmp_path: Path) -> None:
    answers, taken = send_through(tmp_path, allow_private=False)

    assert "not a public one" in answers[0].reason
    assert taken == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"user": "watcher"}, "user and password_file are given together"),
        ({"user": "watcher", "password_file": "secret"}, "tls is none, but a password is never sent"),
        ({"tls": "maybe"}, "the option tls is impossible"),
        ({"to": []}, "the option to names nobody"),
        ({"to": ["desk@mail.example\r\nBcc: x@y"]}, "the option to has a text that is not a plain address"),
        ({"from": "Desk <desk@mail.example>"}, "the option from has a text that is not a plain address"),
        ({"host": "mail example"}, "the option host is not a host's name"),
        ({"port": 70_000}, "the option port is not 1 to 65535"),
    ],
)
def test_impossible_options_are_refused(changes: dict[str, Any], reason: str, tmp_path: Path) -> None:
    if "password_file" in changes:
        changes = changes | {"password_file": samples.secret_file(tmp_path, "password", samples.PASSWORD)}

    with pytest.raises(TapewatchError, match=reason):
        samples.opened("email", options(tmp_path, 25) | changes)
