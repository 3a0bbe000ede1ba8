"""Addresses of web servers. Logs, errors and pages show them, so they contain no password."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator


def has_credentials(url: str) -> bool:
    """Tell whether a URL may contain a user or password; true for any with an `@`, well-formed or not.

    A password with a `/`, `?` or `#` hides the `@` from a parser, and a URL without a scheme does, too.
    """
    return "@" in url


def _check(url: str) -> str:
    # The errors do not show the value.
    if has_credentials(url):
        raise ValueError("it contains a user or password, which logs and visitors would see")
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url:
        raise ValueError("it is not an http or https URL")
    return url.rstrip("/")


HttpUrl = Annotated[str, AfterValidator(_check)]
"""An `http` or `https` URL without user and password; a trailing slash is removed."""
