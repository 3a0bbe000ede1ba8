"""The choices made on the tuning page, in the session and in the address."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import streamlit as st

from dashboard.ui.url_state import note_control, read, write

T = TypeVar("T")

KEYS = "tuning-"
"""Prefix of this page's keys in the session."""


def forget() -> None:
    """Forget what was chosen: a view was opened, or the person went back."""
    for name in [name for name in st.session_state if str(name).startswith(KEYS)]:
        del st.session_state[name]


def choose(
    label: str,
    name: str,
    options: Sequence[str],
    default: str,
    title: Callable[[str], str] = str,
    width: int = 220,
) -> str:
    """Let one be chosen; it stands in the address, unless it is the default."""
    key = f"{KEYS}{name}"
    if st.session_state.get(key) not in options:
        st.session_state[key] = read(name, lambda text: one_of(options, text), default)
    chosen = st.selectbox(label, options, key=key, format_func=title, width=width, on_change=note_control)
    write(**{name: chosen})
    return chosen


def one_of(options: Sequence[T], value: T) -> T:
    """Return a value that is an option; raises ValueError for another one."""
    return options[options.index(value)]
