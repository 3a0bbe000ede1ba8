"""Cookies of the browser: what it remembers for a person from one visit to the next."""

from urllib.parse import quote, unquote

import streamlit as st

# The value is percent-encoded: nothing in it can be taken for another cookie or for markup.
_REMEMBER = """
export default function ({ data }) {
  const lasting = data.value ? "max-age=31536000" : "max-age=0";
  document.cookie = data.name + "=" + data.value + "; path=/; " + lasting + "; SameSite=Strict";
}
"""


def remembered(name: str) -> str:
    """Return a cookie as it was when the page was opened; empty if there was none."""
    return unquote(st.context.cookies.get(name, ""))


def remember(name: str, value: str, key: str) -> None:
    """Have the browser keep a cookie for a year, if it has another value; an empty one is deleted.

    Parameters
    ----------
    name
        Letters and underscores.
    value
        Any text.
    key
        Of the place in the page.
    """
    written = f"cookie-written-{name}"
    # What was written since the page was opened is not in its cookies.
    if value != remembered(name) or written in st.session_state:
        st.session_state[written] = True
        component = st.components.v2.component("tapewatch_cookie", js=_REMEMBER)
        component(data={"name": name, "value": quote(value, safe="")}, key=f"{name}-{key}", height=1)
