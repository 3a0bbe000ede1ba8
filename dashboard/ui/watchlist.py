"""The symbols that the desk watches: in the address, and in a cookie of the browser that remembers them.

A link shows its sender's; only a click changes what the browser remembers.
"""

from urllib.parse import quote, unquote

import streamlit as st

from dashboard.ui import cookies, url_state

MAX_WATCHED = 20
MAX_SYMBOL_LENGTH = 50

_COOKIE = "tapewatch_watched"
_PARAMETER = "watch"
_SHOWN = "watched"
_OWN = "watched-own"
_STORED = "watched-stored"


def watched() -> list[str]:
    """Return the symbols that are shown, in the order in which they were added: the address's, or `own`."""
    if _SHOWN not in st.session_state:
        st.session_state[_SHOWN] = url_state.read(_PARAMETER, parse, own())
    return list(st.session_state[_SHOWN])


def own() -> list[str]:
    """Return the symbols that the browser remembers."""
    if _OWN not in st.session_state:
        st.session_state[_OWN] = parse(cookies.remembered(_COOKIE))
    return list(st.session_state[_OWN])


def toggle(symbol: str) -> None:
    """Start or stop watching a symbol of one's own list; beyond `MAX_WATCHED` the oldest one is dropped.

    A list that came with a link gives way to one's own.
    """
    symbols = [one for one in own() if one != symbol]
    if symbol not in watched():
        symbols.append(symbol)
    _store(symbols[-MAX_WATCHED:])


def show_whose() -> None:
    """Say that the symbols came with a link, if they are not one's own, and let them be kept or left."""
    if watched() == own():
        return
    st.caption("This watchlist came with the link.", width="content")
    st.button(
        "Keep it",
        icon=":material/bookmark_added:",
        help="Remember this list in place of your own",
        on_click=lambda: _store(watched()),
        type="tertiary",
        key="watchlist-keep",
    )
    st.button(
        "Show mine",
        icon=":material/undo:",
        on_click=lambda: st.session_state.update({_SHOWN: own()}),
        type="tertiary",
        key="watchlist-own",
    )


def remember() -> None:
    """Write the symbols that are shown into the address, and into the browser what a click has stored."""
    url_state.write(**{_PARAMETER: serialize(watched())})
    if _STORED in st.session_state:
        cookies.remember(_COOKIE, serialize(own()), "watchlist")


def _store(symbols: list[str]) -> None:
    st.session_state[_OWN] = st.session_state[_SHOWN] = symbols
    st.session_state[_STORED] = True


def parse(text: str) -> list[str]:
    """Return the symbols in a text made by `serialize`, each once; what cannot be a symbol is left out."""
    symbols = (unquote(part) for part in text.split(","))
    return list(dict.fromkeys(filter(_can_be_symbol, symbols)))[:MAX_WATCHED]


def _can_be_symbol(text: str) -> bool:
    return 0 < len(text) <= MAX_SYMBOL_LENGTH and text.isprintable() and not text.isspace()


def serialize(symbols: list[str]) -> str:
    """Return the symbols as one text of letters, digits, commas and `%-._~`."""
    return ",".join(quote(symbol, safe="") for symbol in symbols)
