"""The tuning page: what each threshold would flag on a symbol's day, and the configuration to copy."""

from importlib import import_module

import streamlit as st

from services.common.elastic.client import Elasticsearch


def show(client: Elasticsearch) -> None:
    """Show the page, and before it, that the detectors are loaded: it takes seconds, once for a server."""
    with st.spinner("Loading the detectors …"):
        page = import_module("dashboard.pages.tuning.thresholds")
    page.show(client)
