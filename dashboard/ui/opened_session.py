"""The session that an open page stays with: the one that was the newest when its view was opened."""

import streamlit as st


def opened_with(page: str, newest: str) -> str:
    """Return the newest session of when the view was opened.

    Parameters
    ----------
    page
        Name of the page.
    newest
        The `Period.name` of the session that is the newest now.
    """
    opened: str = st.session_state.setdefault(_key(page), newest)
    return opened


def open_again(page: str) -> None:
    """Have the page stay with the session that is the newest from now on, as if it were opened now."""
    st.session_state.pop(_key(page), None)


def _key(page: str) -> str:
    return f"{page}-opened-with"
