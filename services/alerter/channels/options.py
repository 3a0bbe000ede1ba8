"""A channel's options, from what the rules file says of it. No error shows a value: it may be a secret."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from services.common.config.secret_files import read_secret

Kind = TypeVar("Kind", bound=msgspec.Struct)


def read_options(given: Mapping[str, Any], kind: type[Kind]) -> Kind:
    """Return checked options.

    Parameters
    ----------
    given
        What the file says.
    kind
        The options that there are, with their types and defaults.

    Raises
    ------
    ValueError
        An option is missing, unknown or of the wrong type.
    """
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    if unknown := sorted(str(name) for name in given if name not in fields):
        known = f"it has {', '.join(fields)}" if fields else "it has none"
        raise ValueError(f"the option {unknown[0]} is unknown, {known}")
    if missing := [name for name, field in fields.items() if field.required and name not in given]:
        raise ValueError(f"the option {missing[0]} is missing")
    try:
        return msgspec.convert(dict(given), kind)
    except msgspec.ValidationError as error:
        what, _, place = str(error).partition(" - at `$.")
        raise ValueError(
            f"the option {place.rstrip('`')} is impossible, {what[:1].lower()}{what[1:]}"
        ) from None


def secret_of(path: str, option: str) -> str:
    """Return what a file holds, without spaces and line ends around it.

    Raises
    ------
    TapewatchError
        It cannot be read.
    ValueError
        It has several lines, or characters that cannot be printed.
    """
    secret = read_secret(Path(path).expanduser(), option).strip()
    if not secret or not secret.isprintable():
        raise ValueError(f"the file of the option {option} has not exactly one line of text")
    return secret


def one_of(url: str | None, url_file: str | None) -> tuple[str, str, bool]:
    """Return a URL that is given plainly or in a file, the option that has it, and whether it is a secret.

    Raises
    ------
    ValueError
        None or both are given.
    """
    if (url is None) == (url_file is None):
        raise ValueError("exactly one of the options url and url_file must be given")
    if url is not None:
        return url, "url", False
    return secret_of(url_file or "", "url_file"), "url_file", True
