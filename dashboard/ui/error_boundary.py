"""Shows an error in place of what a page cannot show, and the age of what it still can; never a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st
import structlog

from dashboard.server.answers import Noted, noting
from dashboard.ui.markdown import show_text
from dashboard.ui.outage import tell_age
from services.common.errors import TapewatchError

_log = structlog.get_logger()


@contextmanager
def error_boundary() -> Iterator[Noted]:
    """Show the cause and hint of a `TapewatchError` that the block raises; else point to the log.

    Either error ends the block. If Elasticsearch is away and the block shows its last answers, it is headed
    by how old they are. A fragment that refreshes by itself needs a boundary of its own, inside.
    """
    place = st.container()
    with noting() as noted:
        try:
            yield noted
        except TapewatchError as error:
            show_error("The data cannot be shown.", error)
        except Exception:
            _log.exception("page_failed")
            fault = TapewatchError("The dashboard's log says what.", "Reload the page.")
            show_error("Something went wrong on this page.", fault)
    if noted.as_of is not None:
        with place:
            tell_age(noted.as_of)


def show_error(title: str, error: TapewatchError) -> None:
    """Show what failed, why, and what to do; what was asked for can go on beside it."""
    st.error(title, icon=":material/cloud_off:")
    # Nothing else is taken as markup: a cause may quote whatever answered.
    show_text(error.cause)
    show_text(error.hint)
