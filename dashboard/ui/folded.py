"""Controls that a narrow window shows as one line, until a switch unfolds them; a wide one has no switch."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import streamlit as st
from streamlit.delta_generator import DeltaGenerator


@contextmanager
def folded(page: str) -> Iterator["Fold"]:
    """Show what the block shows as controls that are folded away in a narrow window.

    What the block says beside them, such as that a session has no trades, is not: they stay unfolded then.

    Parameters
    ----------
    page
        Begins the keys; one fold a page.

    Yields
    ------
    Fold
        Takes what is chosen, to say it on the line.
    """
    # The boxes around them are hidden, which would keep their distance from what is above and below.
    fold, controls = (f"div:has(> .st-key-{page}-{part})" for part in ("fold", "controls"))
    st.html(
        f"""<style>
@media not all and (max-width: 640px) {{ {fold} {{ display: none }} }}
@media (max-width: 640px) {{
  .st-key-{page}-fold {{ flex-wrap: nowrap }}
  .stApp:not(:has(.st-key-{page}-fold input:checked)) {controls}:not(:has(.stAlert)) {{ display: none }}
}}
</style>"""
    )
    line = st.container(key=f"{page}-fold", horizontal=True, vertical_alignment="center", gap="small")
    line.toggle("Filters", key=f"{page}-unfold", width="content")
    with st.container(key=f"{page}-controls"):
        yield Fold(line)


class Fold:
    """The line of folded controls.

    Parameters
    ----------
    line
        Where it is shown.
    """

    def __init__(self, line: DeltaGenerator) -> None:
        self._line = line

    def say(self, chosen: Iterable[str]) -> None:
        """Say what is chosen, each in a few words; once a run."""
        self._line.text(" · ".join(chosen) or "none", width="stretch")
