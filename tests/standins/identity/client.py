"""Whom a provider knows, and what it does wrong."""

from dataclasses import dataclass
from typing import Literal

IdentityFault = Literal[
    "denied",  # sends the browser back with an error
    "signature",  # signs the ID token with a key that it has not published
    "audience",  # gives an ID token that is for another client
    "nonce",  # gives one of another sign-in
    "expired",  # gives one that is too old
]


@dataclass(frozen=True)
class Client:
    """A dashboard that the provider knows."""

    id: str
    secret: str
    redirect_uri: str
