"""Goes to another page of the dashboard in the same session: what was typed there is still known."""

from urllib.parse import urlencode

import streamlit as st


def page_url(page: str, **parameters: str) -> str:
    """Return the address of a page, relative to any page of the dashboard, without empty parameters."""
    query = urlencode({name: text for name, text in parameters.items() if text})
    return f"{page}?{query}" if query else page


def go_to(page: str, **parameters: str) -> None:
    """Show another page, named by its path, with these parameters; empty ones are left out."""
    given = {name: text for name, text in parameters.items() if text}
    # Streamlit knows a page by its path.
    st.switch_page(st.Page(_of_the_app, title=page, url_path=page), query_params=given)


def link_to(page: str, label: str, icon: str, **parameters: str | None) -> None:
    """Show a link to another page, named by its path, in the same tab; empty parameters are left out."""
    given = {name: text for name, text in parameters.items() if text}
    target = st.Page(_of_the_app, title=label, url_path=page, default=not page)
    st.page_link(target, label=label, icon=icon, width="content", query_params=given)


def _of_the_app() -> None:
    """Stand in for the page that the app has under the path."""
