"""Says that an address names no page."""

from collections.abc import Collection
from urllib.parse import unquote, urlsplit

import streamlit as st

MAX_SHOWN = 100


def unknown_page(known: Collection[str]) -> str:
    """Return the page that the address names, if there is no such page; else empty.

    Parameters
    ----------
    known
        Names of the pages.
    """
    name = unquote(urlsplit(st.context.url or "").path.rpartition("/")[2])
    return "" if name in known else name


def show_unknown_page(name: str) -> None:
    """Say so; the navigation above has the links."""
    st.error(
        "There is no such page. Choose one at the top, in a narrow window in the menu there.",
        icon=":material/explore_off:",
    )
    st.text(name[:MAX_SHOWN])
