"""Shows an error in place of what a page cannot show; never a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st
import structlog

from services.common.errors import TapewatchError

_log = structlog.get_logger()


@contextmanager
def error_boundary() -> Iterator[None]:
    """Show the cause and hint of a `TapewatchError` that the block raises; else point to the log.

    Either error ends the block. A fragment that refreshes by itself needs a boundary of its own, inside.
    """
    try:
        yield
    except TapewatchError as error:
        _show("The data cannot be shown.", error)
    except Exception:
        _log.exception("page_failed")
        fault = TapewatchError("The dashboard's log says what.", "Reload the page.")
        _show("Something went wrong on this page.", fault)


def _show(title: str, error: TapewatchError) -> None:
    st.error(title, icon=":material/cloud_off:")
    # st.text takes nothing as markup: a cause may quote whatever answered.
    st.text(error.cause)
    st.text(error.hint)
