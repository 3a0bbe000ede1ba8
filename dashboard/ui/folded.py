"""Controls that a narrow window shows as one line, until a switch unfolds them; a wide one has no switch."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import streamlit as st


@contextmanager
def folded(page: str) -> Iterator["Fold"]:
    """Show what the block shows as controls that are folded away in a narrow window.

    Parameters
    ----------
    page
        Begins the keys; one fold a page.

    Yields
    ------
    Fold
        Takes what is chosen, to say it on the line.
    """
    st.html(
        f"""<style>
.st-key-{page}-fold {{ display: none }}
@media (max-width: 640px) {{
  .st-key-{page}-fold {{ display: flex }}
  .stApp:not(:has(.st-key-{page}-fold input:checked)) .st-key-{page}-controls {{ display: none }}
}}
</style>"""
    )
    line = st.container(key=f"{page}-fold", horizontal=True, vertical_alignment="center", gap="small")
    fold = Fold()
    with st.container(key=f"{page}-controls"):
        yield fold
    with line:
        st.toggle("Filters", key=f"{page}-unfold", width="content")
        st.text(" · ".join(fold.chosen) or "none", width="stretch")


class Fold:
    """What the line of folded controls says."""

    def __init__(self) -> None:
        self.chosen: list[str] = []

    def say(self, chosen: Iterable[str]) -> None:
        """Say what is chosen, each in a few words."""
        self.chosen = [*chosen]
