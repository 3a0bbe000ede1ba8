"""Addresses of web servers, which logs, errors and pages show: they have no password in them."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator


def has_credentials(url: str) -> bool:
    """Tell whether a URL may have a user or password in it; true for any with an `@`, well-formed or not.

    A password with a `/`, `?` or `#` hides the `@` from a parser, and a URL without a scheme does, too.
    """
    return "@" in url


def _check(url: str) -> str:
    # The errors do not show the value.
    if has_credentials(url):
        raise ValueError("it has a user or password in it, which logs and visitors would see")
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url:
        raise ValueError("it is not an http or https URL")
    return url.rstrip("/")


HttpUrl = Annotated[str, AfterValidator(_check)]
"""An `http` or `https` URL without user and password; a slash at its end is taken off."""
