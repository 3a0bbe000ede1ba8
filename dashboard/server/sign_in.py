"""Checks the sign-in's settings at the start, as Streamlit reads a broken `secrets.toml` as none at all.

Anybody could type any name then, on a dashboard that is meant to prove them.
"""

from collections.abc import Mapping
from pathlib import Path

import streamlit as st
from streamlit import config

from services.common.errors import TapewatchError

KEYS = ("redirect_uri", "cookie_secret", "client_id", "client_secret", "server_metadata_url")
"""What `[auth]` must have."""


def check_sign_in() -> None:
    """Do nothing if there is no `secrets.toml` or no `[auth]` in it.

    Raises
    ------
    TapewatchError
        The file cannot be read, or `[auth]` lacks something; no value is quoted.
    """
    files = [path for path in config.get_option("secrets.files") if Path(path).exists()]
    if not files:
        return
    named = " or ".join(files)
    try:
        auth = st.secrets.get("auth")
    except (OSError, ValueError) as error:
        raise TapewatchError(f"{named} cannot be read: {error}.", "Correct it, or remove it.") from error
    if auth is None:
        return
    missing = [key for key in KEYS if not (isinstance(auth, Mapping) and auth.get(key))]
    if missing:
        raise TapewatchError(
            f"The sign-in lacks {', '.join(missing)}: see [auth] in {named}.",
            "Add what is missing (docs/dashboard.md, “Who you are”), or remove [auth].",
        )
