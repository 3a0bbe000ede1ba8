"""Work without a mouse: the keys of each page, and the list of them that `?` shows."""

from functools import cache
from pathlib import Path

import streamlit as st

from dashboard.ui.home import SYMBOL

_FOLDER = Path(__file__).parent

_ROWS = [("j k", "next, previous row"), ("o Enter", "open the row's page")]
_VERDICTS = [
    ("x", "tick the row"),
    ("y n", "confirmed, false alarm: for all ticked rows, or else the chosen one"),
]
_ALWAYS = [("Esc", "leave a field, close what is open"), ("?", "show these keys")]

KEYS = {
    "": [("/", "find a symbol")],
    SYMBOL: [*_ROWS, *_VERDICTS, ("/", "choose a symbol")],
    "search": [*_ROWS, *_VERDICTS, ("/", "words to search for")],
    "anomaly": [
        ("j k", "next, previous anomaly of the list"),
        ("y n", "confirmed, false alarm"),
        ("u", "back to the list that it was opened from"),
    ],
    "alerts": [
        *_ROWS,
        ("x", "tick the row"),
        ("a", "acknowledge the ticked rows, or else the chosen one"),
        ("m", "comment on them (Streamlit keeps c for itself)"),
        ("/", "choose symbols"),
    ],
}
"""By path of a page, or `SYMBOL`: its keys, and what they do."""

SEARCH_FIELDS = {"": "Find a symbol", SYMBOL: "Symbol", "search": "Words in the message", "alerts": "Symbols"}
"""By path of a page, or `SYMBOL`: the label of the field that `/` goes to."""


def show_keys(path: str) -> None:
    """Have the page of this path take keys, and show the button that lists them."""
    component = st.components.v2.component(
        "tapewatch_keys", js=_code("js"), css=_code("css"), isolate_styles=False
    )
    data = {"keys": [*KEYS.get(path, []), *_ALWAYS], "search": SEARCH_FIELDS.get(path)}
    component(data=data, key="keys", width="content")


@cache
def _code(kind: str) -> str:
    return (_FOLDER / f"keys.{kind}").read_text(encoding="utf-8")
