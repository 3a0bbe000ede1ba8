"""Any service that the library Apprise knows, by Apprise's URL.

Apprise connects by itself: neither where to nor what is answered is checked here, and it tells only whether
it worked.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import apprise
import msgspec

from services.alerter.channels.base import Accepted, Answer, Channel, Failed, Message
from services.alerter.channels.notice import key_of, shown
from services.alerter.channels.options import read_options, secret_of
from services.alerter.channels.text import headline, paragraphs
from services.contracts.alert import Alert, Digest
from services.contracts.anomaly import Severity

TYPES = {
    Severity.INFO: "info",
    Severity.LOW: "info",
    Severity.MEDIUM: "warning",
    Severity.HIGH: "warning",
    Severity.CRITICAL: "failure",
}
"""Apprise's word for each severity."""
TITLE = 200


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Which service."""

    url_file: str
    """A file with one URL of Apprise's, which has the secrets in it."""


class Content(msgspec.Struct, frozen=True):
    """What Apprise is given."""

    title: str
    body: str
    notify_type: str


class Apprise(Channel):
    """See `Channel`."""

    kind: ClassVar[str] = "apprise"
    options: ClassVar[type[msgspec.Struct]] = Options

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        self.name = name
        url = secret_of(read_options(options, Options).url_file, "url_file")
        self._service = apprise.Apprise()
        if not self._service.add(url):
            raise ValueError("the file of the option url_file has not a URL that Apprise knows")

    def message(self, notice: Alert | Digest) -> Message:
        """See `Channel`."""
        content = Content(headline(notice)[:TITLE], paragraphs(notice), TYPES[shown(notice).severity])
        return Message(key_of(notice), msgspec.json.encode(content))

    def send(self, message: Message) -> Answer:
        """See `Channel`."""
        content = msgspec.json.decode(message.body, type=Content)
        try:
            is_sent = self._service.notify(
                body=content.body, title=content.title, notify_type=content.notify_type, body_format="text"
            )
        except Exception as error:  # its services are many, and each may raise its own
            return Failed(f"Apprise failed ({type(error).__name__})")
        return Accepted() if is_sent else Failed("Apprise could not send it")
