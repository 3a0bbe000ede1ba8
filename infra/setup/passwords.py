"""Passwords of the users to set up, from a folder with a file for each."""

from collections.abc import Iterable
from pathlib import Path

from services.common.config.secret_files import read_secret
from services.common.errors import TapewatchError


def given_passwords(folder: Path, users: Iterable[str], variable: str) -> dict[str, str]:
    """Return the passwords that are given, by user.

    Parameters
    ----------
    folder
        Has `USER.password` for each user to set up.
    users
        Users who may be set up.
    variable
        The variable that names the folder, for errors.

    Raises
    ------
    TapewatchError
        There is no such folder, or a file is empty or cannot be read.
    """
    if not folder.is_dir():
        raise TapewatchError(
            f"The folder of passwords {folder} does not exist.", f"Create it, or unset {variable}."
        )
    files = {user: folder / f"{user}.password" for user in users}
    return {user: read_secret(path, variable) for user, path in files.items() if path.exists()}
