"""Webhooks as the Standard Webhooks specification has them: signed, with an id to tell repeats by."""

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from services.alerter.channels.base import Answer, Channel, Message
from services.alerter.channels.http import Endpoint
from services.alerter.channels.notice import key_of, told_at, type_of
from services.alerter.channels.options import one_of, read_options, secret_of
from services.alerter.channels.shorten import shortened
from services.contracts.alert import Alert, Digest

MOST_BYTES = 20_000
"""The specification asks for bodies below 20 kB."""
ENVELOPE_BYTES = 200
"""More than what is around an alert's fields."""

PREFIX = "whsec_"
KEY_BYTES = range(24, 65)


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Where to, and how it is signed."""

    secret_files: list[str]
    """One, or several while they are rotated: the receiver may know any of them."""
    url: str | None = None
    url_file: str | None = None
    """A file with the URL, where the URL is a secret."""
    allow_private: bool = False


class Webhook(Channel):
    """See `Channel`."""

    kind: ClassVar[str] = "webhook"
    options: ClassVar[type[msgspec.Struct]] = Options

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        self.name = name
        chosen = read_options(options, Options)
        url, option, is_secret = one_of(chosen.url, chosen.url_file)
        if not chosen.secret_files:
            raise ValueError("the option secret_files names no file")
        secrets = [secret_of(path, "secret_files") for path in chosen.secret_files]
        self._keys = [signing_key(secret) for secret in secrets]
        self._endpoint = Endpoint(
            url, option=option, allow_private=chosen.allow_private, secrets=secrets, is_secret=is_secret
        )

    def message(self, notice: Alert | Digest) -> Message:
        """See `Channel`."""
        body = {
            "type": type_of(notice),
            "timestamp": told_at(notice),
            "data": shortened(notice, MOST_BYTES - ENVELOPE_BYTES),
        }
        headers = {"Content-Type": "application/json", "webhook-id": key_of(notice)}
        return Message(key_of(notice), msgspec.json.encode(body), headers)

    def send(self, message: Message) -> Answer:
        """See `Channel`; the signature is the try's own, as it has its time."""
        seconds = int(time.time())
        signatures = " ".join(signature(key, message.key, seconds, message.body) for key in self._keys)
        return self._endpoint.post(
            message.body,
            {**message.headers, "webhook-timestamp": str(seconds), "webhook-signature": signatures},
        )


def signing_key(secret: str) -> bytes:
    """Return the key of a secret as the specification writes it: `whsec_` and base64.

    Raises
    ------
    ValueError
        It is not such a secret, or its key has not 24 to 64 bytes.
    """
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if len(key) not in KEY_BYTES:
        raise ValueError(
            f"a file of the option secret_files has not {PREFIX} and the base64 of 24 to 64 bytes in it"
        )
    return key


def signature(key: bytes, message_id: str, seconds: int, body: bytes) -> str:
    """Return `v1,` and the base64 of the HMAC-SHA256 of `id.timestamp.body`."""
    signed = b".".join((message_id.encode(), str(seconds).encode(), body))
    return f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}"
