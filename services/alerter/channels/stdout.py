"""Standard output: a line or two for each message, to try rules out, or for a container's log."""

import sys
from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from services.alerter.channels.base import Accepted, Answer, Channel, Failed, Message
from services.alerter.channels.notice import key_of, told_at
from services.alerter.channels.options import read_options
from services.alerter.channels.shorten import one_line
from services.alerter.channels.text import change, headline, links
from services.contracts.alert import Alert, Digest

MOST_CHARACTERS = 1_000
"""Of a line."""


class Options(msgspec.Struct, frozen=True):
    """There are none."""


class Stdout(Channel):
    """See `Channel`."""

    kind: ClassVar[str] = "stdout"
    options: ClassVar[type[msgspec.Struct]] = Options

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        self.name = name
        read_options(options, Options)

    def message(self, notice: Alert | Digest) -> Message:
        """See `Channel`."""
        where = "".join(f"  {link}" for link in links(notice).values())
        lines = (f"{told_at(notice)}  {headline(notice)}", f"    {change(notice)}{where}")
        text = "".join(f"{line[:4]}{one_line(line[4:], MOST_CHARACTERS)}\n" for line in lines)
        return Message(key_of(notice), text.encode())

    def send(self, message: Message) -> Answer:
        """See `Channel`."""
        try:
            sys.stdout.write(message.body.decode())
            sys.stdout.flush()
        except (OSError, ValueError) as error:  # closed; or its encoding lacks a character
            return Failed(f"standard output takes nothing ({type(error).__name__})")
        return Accepted()
