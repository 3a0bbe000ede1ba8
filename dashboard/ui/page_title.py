"""The title of the browser's tab: what the page shows, so that open tabs can be told apart."""

import unicodedata

import streamlit as st

PRODUCT = "Tapewatch"
_LONGEST = 80


def set_title(*parts: str) -> None:
    """Name what is shown, the most telling part first."""
    st.set_page_config(page_title=to_title(*parts))


def to_title(*parts: str) -> str:
    """Return a title with the product's name at its end.

    Texts of the data may be among the parts: signs that show nothing or turn the direction of what follows
    are left out, and what is too long for a tab is cut.
    """
    text = " ".join(" ".join(parts).split())
    plain = "".join(sign for sign in text if not unicodedata.category(sign).startswith("C"))
    cut = plain if len(plain) <= _LONGEST else f"{plain[:_LONGEST]}…"
    return f"{cut} · {PRODUCT}" if cut else PRODUCT
