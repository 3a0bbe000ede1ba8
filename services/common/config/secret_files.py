"""Secrets that lie in files, as container platforms hand them out."""

from pathlib import Path

from services.common.errors import TapewatchError


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
            f"The file {path} cannot be read: {reason}.", f"Mend it, or set {variable} to another."
        ) from None
    if not secret:
        raise TapewatchError(
            f"The file {path} is empty.", f"Put the secret into it, or set {variable} to another."
        )
    return secret
