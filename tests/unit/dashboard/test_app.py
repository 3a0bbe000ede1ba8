import pytest
from streamlit.testing.v1 import AppTest

from dashboard.server.asgi import APP
from infra.embedded.ports import free_port
from tests.unit.dashboard.conftest import RUN_TIMEOUT_S


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        (f"http://127.0.0.1:{free_port()}", "Elasticsearch does not answer at"),
        ("nowhere", "is not a URL"),
    ],
    ids=["away", "no URL"],
)
def test_the_page_shows_why_there_is_no_data(url: str, cause: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPEWATCH_ELASTICSEARCH", url)
    page = AppTest.from_file(str(APP), default_timeout=RUN_TIMEOUT_S).run()
    assert not page.exception
    assert [error.value for error in page.error] == ["The data cannot be shown."]
    assert any(cause in text.value for text in page.text)
    # As Markdown, where its commands are code.
    said = [*page.text, *page.markdown]
    assert any("TAPEWATCH" in text.value and "ELASTICSEARCH" in text.value for text in said)
