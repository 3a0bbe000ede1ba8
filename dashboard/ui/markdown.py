"""Text from the data where Streamlit takes Markdown."""

import string

_MARKUP = str.maketrans({sign: f"\\{sign}" for sign in string.punctuation})


def as_markdown(text: str) -> str:
    """Return a text that Markdown shows as it is."""
    return text.translate(_MARKUP)
