from streamlit.testing.v1 import AppTest

from tests.unit.dashboard.conftest import RUN_TIMEOUT_S


def page() -> None:
    """Show the overview of a cluster that is not there."""
    from dashboard.pages.overview.page import show
    from dashboard.server.elastic import open_client

    with open_client("http://127.0.0.1:1") as client:
        show(client)


def test_a_page_that_cannot_be_shown_no_longer_says_that_it_is_being_read() -> None:
    app = AppTest.from_function(page, default_timeout=RUN_TIMEOUT_S).run()
    assert [error.value for error in app.error] == ["The data cannot be shown."]
    assert not [text.value for text in app.text if "being read" in text.value]
