"""The symbols that the desk watches: in the address, and in a cookie of the browser that remembers them."""

from urllib.parse import quote, unquote

import streamlit as st

from dashboard.ui import url_state

MAX_WATCHED = 20
MAX_SYMBOL_LENGTH = 50

_COOKIE = "tapewatch_watched"
_PARAMETER = "watch"
_KEY = "watched"

# The value is percent-encoded: nothing in it can be taken for another cookie or for markup.
_REMEMBER = f"""
export default function ({{ data }}) {{
  document.cookie = "{_COOKIE}=" + data.watched + "; path=/; max-age=31536000; SameSite=Strict";
}}
"""


def watched() -> list[str]:
    """Return the symbols, in the order in which they were added: the address's, or else the browser's."""
    if _KEY not in st.session_state:
        remembered = parse(st.context.cookies.get(_COOKIE, ""))
        st.session_state[_KEY] = url_state.read(_PARAMETER, parse, remembered)
    return list(st.session_state[_KEY])


def toggle(symbol: str) -> None:
    """Start or stop watching a symbol; beyond `MAX_WATCHED` the oldest one is dropped."""
    symbols = watched()
    if symbol in symbols:
        symbols.remove(symbol)
    else:
        symbols.append(symbol)
    st.session_state[_KEY] = symbols[-MAX_WATCHED:]


def remember() -> None:
    """Write the symbols into the address, and into the browser if they are others than it has."""
    text = serialize(watched())
    url_state.write(**{_PARAMETER: text})
    if text != st.context.cookies.get(_COOKIE, "") or st.session_state.get("cookie_written"):
        st.session_state["cookie_written"] = True
        component = st.components.v2.component("tapewatch_watchlist", js=_REMEMBER)
        component(data={"watched": text}, key="watchlist-cookie", height=1)


def parse(text: str) -> list[str]:
    """Return the symbols in a text made by `serialize`, each once; what cannot be a symbol is left out."""
    symbols = (unquote(part) for part in text.split(","))
    return list(dict.fromkeys(s for s in symbols if 0 < len(s) <= MAX_SYMBOL_LENGTH))[:MAX_WATCHED]


def serialize(symbols: list[str]) -> str:
    """Return the symbols as one text of letters, digits, commas and `%-._~`."""
    return ",".join(quote(symbol, safe="") for symbol in symbols)
