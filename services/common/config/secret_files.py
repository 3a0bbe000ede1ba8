"""Secrets from environment variables, or from files as container platforms provide them."""

from pathlib import Path

from pydantic import SecretStr

from services.common.errors import TapewatchError


def given_secret(value: SecretStr | None, path: Path | None, variable: str) -> str | None:
    """Return a secret from a variable or a file; None if neither is given.

    Parameters
    ----------
    value
        The variable's value.
    path
        The file that `<variable>_FILE` names.
    variable
        The variable's name, for the errors.

    Raises
    ------
    TapewatchError
        Both are given, or the file cannot be read or is empty.
    """
    if value is not None and path is not None:
        raise TapewatchError(f"Both {variable} and {variable}_FILE are set.", "Set one of them.")
    if path is not None:
        return read_secret(path, f"{variable}_FILE")
    return None if value is None else value.get_secret_value()


def read_secret(path: Path, variable: str) -> str:
    """Return what a file holds, without the line end that editors add.

    Parameters
    ----------
    path
        The file.
    variable
        The variable that names it, for the error.

    Raises
    ------
    TapewatchError
        The file cannot be read, or is empty; the error never shows what is in it.
    """
    try:
        secret = path.read_text().strip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise TapewatchError(
            f"The file {path} cannot be read: {reason}.", f"Fix it, or set {variable} to another."
        ) from None
    if not secret:
        raise TapewatchError(
            f"The file {path} is empty.", f"Put the secret into it, or set {variable} to another."
        )
    return secret
