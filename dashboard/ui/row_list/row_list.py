"""A list in which one row is chosen and several can be ticked, by mouse or keys; narrow, it is cards.

Streamlit's own table is a picture: it cuts sentences off, and takes no keys. The texts of rows are shown as
text, whatever they are.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

import streamlit as st

from services.contracts.anomaly import SEVERITY_COLORS

_FOLDER = Path(__file__).parent


class Kind(StrEnum):
    """How a column shows."""

    SHORT = "short"
    """Never wrapped."""
    NUMBER = "number"
    NAME = "name"
    TEXT = "text"
    SENTENCE = "sentence"
    """Takes the room that is left."""
    SEVERITY = "severity"


@dataclass(frozen=True)
class Column:
    """A column of a list."""

    name: str
    heading: str
    kind: Kind = Kind.SHORT
    sorts: bool = False
    """Whether a click on its heading sorts."""


@dataclass(frozen=True)
class Row:
    """A row of a list."""

    id: str
    href: str
    """Address of its page."""
    cells: tuple[tuple[str, str], ...]
    """Of each column the text, and what stands in small letters below it."""


def show_rows(
    key: str,
    columns: Sequence[Column],
    rows: Sequence[Row],
    chosen: str | None = None,
    on_choose: Callable[[str | None], None] | None = None,
    height: int | None = None,
    can_tick: bool = False,
    marks_new: bool = False,
    on_sort: Callable[[str], None] | None = None,
) -> str | None:
    """Show rows in the order given.

    Parameters
    ----------
    key
        Key of the list in the session's state.
    columns, rows
        What is shown.
    chosen
        Id of the chosen row, wherever it is now.
    on_choose
        Called with the id that a person has chosen, or None. With it, the list takes the page's keys: there
        is one such list on a page.
    height
        Greatest height in pixels; None for the height of all rows.
    can_tick
        Whether rows can be ticked; `ticked` returns those that are.
    marks_new
        Whether rows that were not there before stand out for a moment.
    on_sort
        Called with the name of the column whose heading was clicked.

    Returns
    -------
    str or None
        Id of the row whose page a person asks for.
    """
    state = st.session_state
    shown = [row.id for row in rows]
    state[f"{key}-shown"] = shown

    def take() -> None:
        view = state[key]["view"]
        state[f"{key}-change"] = view["change"]
        state[f"{key}-ticked"] = view["ticked"]
        if on_choose is not None and view["chosen"] != chosen:
            on_choose(view["chosen"])

    def take_sort() -> None:
        name = state[key]["sorted"]
        if on_sort is not None and name in [each.name for each in columns if each.sorts]:
            on_sort(name)

    component = st.components.v2.component(
        "tapewatch_rows", js=_code("js"), css=_code("css"), isolate_styles=False
    )
    result = component(
        key=key,
        data={
            "columns": [asdict(column) for column in columns],
            "rows": [asdict(row) for row in rows],
            "chosen": chosen,
            "ticked": ticked(key),
            "change": state.get(f"{key}-change", 0),
            "height": height,
            "can_tick": can_tick,
            "has_keys": on_choose is not None,
            "marks_new": marks_new,
            "colors": {str(severity): color for severity, color in SEVERITY_COLORS.items()},
        },
        on_view_change=take,
        on_opened_change=_nothing,
        on_sorted_change=take_sort,
    )
    opened: str | None = result.opened
    return opened if opened in shown else None


def ticked(key: str) -> list[str]:
    """Return the ids of the ticked rows of a list that are shown, in the order of the rows."""
    marked = set(st.session_state.get(f"{key}-ticked", ()))
    return [one for one in st.session_state.get(f"{key}-shown", ()) if one in marked]


def untick(key: str) -> None:
    """Take the ticks of a list away."""
    st.session_state[f"{key}-ticked"] = []


@cache
def _code(kind: str) -> str:
    return (_FOLDER / f"row_list.{kind}").read_text(encoding="utf-8")


def _nothing() -> None:
    """Have the page run again."""
