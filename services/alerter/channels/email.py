"""E-mail by SMTP, encrypted by default; an alert's revisions are one thread, and each has its own id."""

import contextlib
import hashlib
import html
import re
import smtplib
import socket
import ssl
from collections.abc import Mapping
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any, ClassVar, Literal

import msgspec
import structlog

from services.alerter.channels.base import Accepted, Answer, Channel, Failed, Message
from services.alerter.channels.connecting import UnreachableError, connected, tls_reason
from services.alerter.channels.notice import key_of, shown, told_moment
from services.alerter.channels.options import read_options, secret_of
from services.alerter.channels.shorten import one_line
from services.alerter.channels.text import change, headline, links, name, numbers, paragraphs, table
from services.contracts.alert import Alert, Digest
from services.contracts.anomaly import SEVERITY_COLORS

TIMEOUT_S = 30.0
"""For the whole conversation."""
PORTS = {"starttls": 587, "tls": 465, "none": 25}
MOST_BYTES = 64 * 1024
"""How much of one answer is read."""
QUOTED = 200
"""How many characters of an answer a reason quotes."""

_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """By which server, from whom, and to whom."""

    host: str
    port: int | None = None
    """587 with STARTTLS, 465 with TLS, 25 without."""
    tls: Literal["starttls", "tls", "none"] = "starttls"
    user: str | None = None
    password_file: str | None = None
    """A file with the password, together with `user`."""
    sender: str = msgspec.field(name="from")
    to: list[str]
    allow_private: bool = False


class Email(Channel):
    """See `Channel`."""

    kind: ClassVar[str] = "email"
    options: ClassVar[type[msgspec.Struct]] = Options

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        self.name = name
        self._log = structlog.get_logger()
        chosen = read_options(options, Options)
        self._password = None
        if (chosen.user is None) != (chosen.password_file is None):
            raise ValueError("the options user and password_file are given together or not at all")
        if chosen.password_file is not None:
            self._password = secret_of(chosen.password_file, "password_file")
            if chosen.tls == "none":
                raise ValueError("the option tls is none, but a password is never sent without encryption")
        if (
            not chosen.host
            or not chosen.host.isascii()
            or not chosen.host.isprintable()
            or " " in chosen.host
        ):
            raise ValueError("the option host is not a host's name")
        if not chosen.to:
            raise ValueError("the option to names nobody")
        for option, address in (("from", chosen.sender), *(("to", address) for address in chosen.to)):
            if not _ADDRESS.fullmatch(address):
                raise ValueError(f"the option {option} has a text that is not a plain address")
        self._chosen = chosen
        self._port = PORTS[chosen.tls] if chosen.port is None else chosen.port
        if self._port not in range(1, 65_536):
            raise ValueError("the option port is not 1 to 65535")
        self._domain = chosen.sender.rpartition("@")[2]
        self._tls = ssl.create_default_context()

    def message(self, notice: Alert | Digest) -> Message:
        """See `Channel`; the body is the whole mail."""
        alert = shown(notice)
        key = key_of(notice)
        mail = EmailMessage(SMTP)
        mail["From"] = self._chosen.sender
        mail["To"] = ", ".join(self._chosen.to)
        if isinstance(notice, Alert):
            # Programs for mail show a thread only if its subject stays as it is.
            mail["Subject"] = (
                f"Tapewatch: {name(alert.symbol)}, {name(alert.group or alert.rule)}, {name(alert.session)}"
            )
        else:
            mail["Subject"] = f"Tapewatch: {notice.count:,} messages held back"
        mail["Date"] = format_datetime(told_moment(notice))
        mail["Message-ID"] = f"<{key}@{self._domain}>"
        if isinstance(notice, Alert) and alert.revision > 1:
            first = f"<{alert.alert_id}.1@{self._domain}>"
            mail["In-Reply-To"] = first
            mail["References"] = first
        mail["Auto-Submitted"] = "auto-generated"
        mail["X-Tapewatch-Severity"] = str(alert.severity)
        mail.set_content(paragraphs(notice), cte="quoted-printable")
        mail.add_alternative(_html(notice), subtype="html", cte="quoted-printable")
        # The two characters before it are in no part, as quoted-printable writes the first one otherwise.
        mail.set_boundary("=_" + hashlib.blake2b(key.encode(), digest_size=16).hexdigest())
        return Message(key, mail.as_bytes())

    def send(self, message: Message) -> Answer:
        """See `Channel`."""
        chosen = self._chosen
        try:
            with connected(
                chosen.host, self._port, allow_private=chosen.allow_private, timeout_s=TIMEOUT_S
            ) as opened:
                if chosen.tls == "tls":
                    opened = self._tls.wrap_socket(opened, server_hostname=chosen.host)
                with contextlib.closing(_Conversation(chosen.host, opened, self._domain)) as smtp:
                    return self._converse(smtp, message.body)
        except UnreachableError as error:
            return Failed(str(error))
        except ssl.SSLError as error:
            return Failed(tls_reason(error))
        except smtplib.SMTPResponseException as error:
            return self._refused(int(error.smtp_code), error.smtp_error)
        except smtplib.SMTPNotSupportedError:
            what = "encryption (STARTTLS)" if chosen.tls == "starttls" else "what is needed to log in"
            return Failed(f"the server does not offer {what}")
        except (smtplib.SMTPException, OSError) as error:
            return Failed(f"the connection was lost before the answer ({type(error).__name__})")

    def _converse(self, smtp: "_Conversation", mail: bytes) -> Answer:
        code, text = smtp.getreply()
        if code != 220:
            return self._refused(code, text)
        smtp.ehlo_or_helo_if_needed()
        if self._chosen.tls == "starttls":
            smtp.starttls(context=self._tls)
            smtp.ehlo_or_helo_if_needed()
        if self._chosen.user is not None and self._password is not None:
            smtp.login(self._chosen.user, self._password)
        code, text = smtp.mail(self._chosen.sender)
        if code != 250:
            return self._refused(code, text)
        refused = []
        for address in self._chosen.to:
            code, text = smtp.rcpt(address)
            if code not in (250, 251):
                refused.append((code, text))
        # Who is refused for now would get nothing if the others did now, as they must not get it twice.
        later = [(code, text) for code, text in refused if code < 500]
        if later or len(refused) == len(self._chosen.to):
            return self._refused(*(later or refused)[0])
        code, text = smtp.data(mail)
        if code != 250:
            return self._refused(code, text)
        if refused:
            self._log.warning(
                "the mail server refuses some of a channel's addresses; the others got the mail",
                channel=self.name,
                refused=len(refused),
                reason=self._refused(*refused[0]).reason,
            )
        with contextlib.suppress(smtplib.SMTPException, OSError):
            smtp.quit()
        return Accepted(code)

    def _refused(self, code: int, text: bytes | str) -> Failed:
        said = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        if self._password is not None:
            said = said.replace(self._password, "***")
        line = one_line(said, QUOTED)
        return Failed(f"it answered {code}" + (f": {line}" if line else ""), code)


class _Answers:
    """What a server says, line by line, up to a bound."""

    def __init__(self, opened: socket.socket) -> None:
        self._file = opened.makefile("rb")
        self.left = 0

    def readline(self, limit: int) -> bytes:
        line = self._file.readline(limit)
        self.left -= len(line)
        if self.left < 0:
            raise OSError("the answer is too long")
        return line

    def close(self) -> None:
        self._file.close()


class _Conversation(smtplib.SMTP):
    """With a server that has been connected to."""

    file: _Answers | None

    def __init__(self, host: str, opened: socket.socket, own_name: str) -> None:
        super().__init__(local_hostname=own_name)
        self._host = host  # STARTTLS checks the certificate for it
        self.sock = opened

    def getreply(self) -> tuple[int, bytes]:
        """Return a whole answer of bounded length.

        Of one that was cut within its code, the library makes another code; and it keeps all lines of one.
        """
        if self.sock is not None:
            if self.file is None:  # before the first answer, and once the connection is encrypted
                self.file = _Answers(self.sock)
            self.file.left = MOST_BYTES
        code, text = super().getreply()
        if code not in range(200, 600):
            raise smtplib.SMTPServerDisconnected("the connection was lost within an answer")
        return code, text


def _html(notice: Alert | Digest) -> str:
    alert = shown(notice)
    cells = "".join(
        f"<tr><td>{html.escape(what)}</td><td>{html.escape(value)}</td></tr>\n"
        for what, value in numbers(notice).items()
    )
    trades = table(notice)
    places = " ".join(
        f'<a href="{html.escape(link)}">{html.escape(place)}</a>' for place, link in links(notice).items()
    )
    return (
        f'<p style="border-left: 6px solid {SEVERITY_COLORS[alert.severity]}; padding-left: 8px">'
        f"<b>{html.escape(headline(notice))}</b></p>\n"
        f"<p>{html.escape(change(notice))}</p>\n"
        f"<table>\n{cells}</table>\n"
        + (f"<pre>{html.escape(trades)}</pre>\n" if trades else "")
        + (f"<p>{places}</p>\n" if places else "")
    )
