"""One POST: to a checked address, without redirects, within a time limit, with a bounded answer."""

import contextlib
import datetime as dt
import ssl
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse
from urllib.parse import urlsplit

from services.alerter.channels.base import Accepted, Answer, Failed, Gone
from services.alerter.channels.connecting import UnreachableError, connected, tls_reason
from services.alerter.channels.shorten import one_line
from services.common.config.urls import has_credentials

TIMEOUT_S = 10.0
"""For everything: resolving, connecting, sending and the answer."""
MOST_BYTES = 64 * 1024
"""How much of an answer is read."""
QUOTED = 200
"""How many characters of an answer a reason quotes."""

SHORTEST_SECRET = 8
"""Parts of a secret URL that are shorter are words like `services`."""


class Endpoint:
    """Where to post to.

    Parameters
    ----------
    url
        `http` or `https`; certificates are verified, against `SSL_CERT_FILE` where that is set.
    option
        The option that has the URL, for the error.
    allow_private
        Whether its address may be other than one of the internet's.
    secrets
        Texts that no reason may contain.
    is_secret
        Whether the URL is itself a secret.

    Raises
    ------
    ValueError
        It is not such a URL; the text does not show it.
    """

    def __init__(
        self,
        url: str,
        *,
        option: str,
        allow_private: bool = False,
        secrets: Sequence[str] = (),
        is_secret: bool = False,
    ) -> None:
        if has_credentials(url):
            raise ValueError(f"the option {option} contains a user or password, or a stray @")
        try:
            parts = urlsplit(url)
            host = (parts.hostname or "").encode("idna").decode()
            port = parts.port
        except (ValueError, UnicodeError):
            parts, host, port = urlsplit(""), "", None
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if parts.scheme not in ("http", "https") or not host or port == 0 or not _is_plain(target):
            raise ValueError(f"the option {option} is not an http or https URL")
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._host = host
        self._port = port or (443 if self._tls else 80)
        self._target = target
        self._allow_private = allow_private
        self._secrets = sorted({*secrets, *(_parts(url, target) if is_secret else ())}, key=len, reverse=True)

    def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send once; 2xx is accepted, 410 means gone, anything else may succeed later."""
        try:
            with connected(
                self._host, self._port, allow_private=self._allow_private, timeout_s=TIMEOUT_S
            ) as opened:
                connection = HTTPConnection(self._host, self._port)
                connection.sock = opened
                if self._tls is not None:
                    connection.sock = self._tls.wrap_socket(opened, server_hostname=self._host)
                    connection.default_port = 443
                with contextlib.closing(connection):
                    every = {"User-Agent": "tapewatch", "Connection": "close"}
                    connection.request("POST", self._target, body, every | dict(headers))
                    with connection.getresponse() as response:
                        return self._answer(response)
        except UnreachableError as error:
            return Failed(str(error))
        except ssl.SSLError as error:
            return Failed(tls_reason(error))
        except (HTTPException, OSError) as error:
            return Failed(f"the connection was lost before the answer ({type(error).__name__})")

    def _answer(self, response: HTTPResponse) -> Answer:
        status = response.status
        text = self._quote(response)
        if 200 <= status < 300:
            return Accepted(status)
        if status == 410:
            return Gone(f"it answered 410, that it wants nothing more{text}", status)
        if 300 <= status < 400:
            return Failed(f"it answered {status}, a redirect, which is not followed", status)
        wait_s = retry_after_s(response.headers.get("Retry-After"), response.headers.get("Date"))
        return Failed(f"it answered {status}{text}", status, wait_s)

    def _quote(self, response: HTTPResponse) -> str:
        """Return the beginning of an answer for a reason, without secrets, even if the rest never comes."""
        text = ""
        with contextlib.suppress(HTTPException, OSError):
            text = response.read(MOST_BYTES).decode("utf-8", "replace").replace("\\/", "/")
        for secret in self._secrets:
            text = text.replace(secret, "***")
        line = one_line(text, QUOTED)
        return f": {line}" if line else ""


def retry_after_s(value: str | None, date: str | None = None) -> float | None:
    """Return how many seconds an answer asks to wait; None if it does not say, or nothing sensible.

    Parameters
    ----------
    value
        `Retry-After`: seconds, or a moment.
    date
        `Date` of the answer, which such a moment is compared with, as clocks differ; None for this clock.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit() and len(text) <= 9:
        return float(text)
    until, now = _moment(text), _moment(date or "") or dt.datetime.now(dt.UTC)
    return None if until is None else max(0.0, (until - now).total_seconds())


def _moment(text: str) -> dt.datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment


def _is_plain(target: str) -> bool:
    """Tell whether it can be a request's target as it is."""
    return target.isascii() and target.isprintable() and " " not in target


def _parts(url: str, target: str) -> set[str]:
    """Return the texts that give a secret URL away."""
    pieces = target.replace("?", "/").replace("&", "/").replace("=", "/").split("/")
    return {url, target, *(piece for piece in pieces if len(piece) >= SHORTEST_SECRET)} - {"/", ""}
