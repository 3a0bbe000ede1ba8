"""Reads and writes the page's address, which holds the filters of a view so that the view can be sent.

Anybody can write an address: a value that cannot be read counts as missing, and none of them is taken as
markup or as a part of a query.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import streamlit as st

T = TypeVar("T")

MAX_LENGTH = 2000
"""Longest accepted value, in characters."""

_WRITTEN = "url-written"
_UNREAD = "url-unread"
_USED = "url-control-used"


def read(name: str, parse: Callable[[str], T], default: T) -> T:
    """Return a value of the address.

    Parameters
    ----------
    name
        Name of the query parameter; if it occurs more than once, the last one counts.
    parse
        Turns the text into the value; raises `ValueError` (or any of its kind, `KeyError`, `TypeError`,
        `OverflowError`) for an invalid text.
    default
        Returned where the parameter is missing, too long, or cannot be parsed.
    """
    text = st.query_params.get(name)
    if text is None:
        return default
    try:
        if len(text) <= MAX_LENGTH:
            return parse(text)
    except (ValueError, KeyError, TypeError, OverflowError):
        pass
    _unread().add(name)
    return default


def read_choices(name: str, options: Sequence[str], default: Sequence[str] = ()) -> list[str]:
    """Return those values of a comma-separated parameter that are among the options, in their order."""
    chosen = read(name, lambda text: set(text.split(",")), set(default))
    if not chosen <= set(options):
        _unread().add(name)
    return [option for option in options if option in chosen]


def write(**values: object) -> None:
    """Set parameters of the address; the others stay. Does not run the page again.

    Parameters
    ----------
    **values
        By name: text or a number; several texts are joined with commas; None, an empty text and an empty
        sequence remove the parameter.
    """
    written = st.query_params.to_dict()
    texts = {name: _to_text(value) for name, value in values.items()}
    changed = {name: text for name, text in {**written, **texts}.items() if text}
    if changed != written:
        st.query_params.from_dict(changed)  # all at once: each change is a step that the browser can go back
    st.session_state[_WRITTEN] = st.query_params.to_dict()


def note_control() -> None:
    """Note that a control was used, in its callback: the address did not change in the same moment.

    If the person is quick, the browser sends with it the address from before the last `write`.
    """
    st.session_state[_USED] = True


def was_changed() -> bool:
    """Return whether the address changed since the last `write`: by opening a view, or by going back."""
    if st.session_state.pop(_USED, False):
        return False
    return bool(st.session_state.get(_WRITTEN) != st.query_params.to_dict())


def have_read_again() -> None:
    """Have the page take its view from the address, as if that had changed."""
    st.session_state[_WRITTEN] = None


def take_unread() -> list[str]:
    """Return the names of the parameters that could not be read since the last call, sorted."""
    names = sorted(_unread())
    st.session_state[_UNREAD] = set()
    return names


def _unread() -> set[str]:
    names: set[str] = st.session_state.setdefault(_UNREAD, set())
    return names


def _to_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple | set | frozenset):
        return ",".join(map(str, value))
    return str(value)
