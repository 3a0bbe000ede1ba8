"""Text from the data where Streamlit takes Markdown."""

import string

import streamlit as st

_MARKUP = str.maketrans({sign: f"\\{sign}" for sign in string.punctuation})


def as_markdown(text: str) -> str:
    """Return a text that Markdown shows as it is."""
    return text.translate(_MARKUP)


def show_text(text: str) -> None:
    """Show a text as it is, but for what stands between two backticks, which is shown as code."""
    parts = text.split("`")
    if len(parts) % 2 == 0 or len(parts) == 1:
        st.text(text)
        return
    st.markdown("".join(f"`{part}`" if at % 2 else as_markdown(part) for at, part in enumerate(parts)))
