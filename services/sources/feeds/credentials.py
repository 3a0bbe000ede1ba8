"""The keys of venues: from files that variables name, never from a command line."""

import os
from pathlib import Path

from services.common.config.secret_files import read_secret
from services.common.errors import TapewatchError


def key_of(venue: str, part: str = "KEY") -> str:
    """Return a venue's key.

    Parameters
    ----------
    venue
        Its name in the variable `TAPEWATCH_<VENUE>_<PART>_FILE`, such as `ALPACA`.
    part
        `KEY` or `SECRET`.

    Raises
    ------
    TapewatchError
        The variable is not set, or its file cannot be read or is empty.
    """
    variable = f"TAPEWATCH_{venue}_{part}_FILE"
    path = os.environ.get(variable)
    if not path:
        raise TapewatchError(
            f"{variable} is not set.",
            f"Put the {part.lower()} into a file that only you can read, and set {variable} to its name.",
        )
    return read_secret(Path(path), variable)
