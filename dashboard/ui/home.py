"""The two pages at `/`: one symbol where the address names it, else all of them."""

import streamlit as st

SYMBOL = "symbol"
"""Name of the page of one symbol, which shares its path with the overview; and of its parameter."""


def is_symbol_shown() -> bool:
    """Return whether the address names a symbol."""
    return SYMBOL in st.query_params
