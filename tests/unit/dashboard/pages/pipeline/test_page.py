from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.pages.pipeline import page as pipeline_page
from dashboard.pages.pipeline.probe import ElasticsearchState
from dashboard.server.indexed_data import Documents, IndexedData
from services.contracts.components import DETECTOR, PRODUCER, Component
from tests.unit.dashboard.conftest import RUN_TIMEOUT_S


def states() -> None:
    """Show the states in a run of Streamlit."""
    from dashboard.pages.pipeline.page import show_states

    client: Any = None
    show_states(client, ["host:9101"])


def test_services_that_cannot_be_shown_hide_no_elasticsearch(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_targets: object) -> None:
        raise RuntimeError("a fault of this page")

    nothing = IndexedData(Documents(0, None), Documents(0, None), None)
    monkeypatch.setattr(pipeline_page, "probe_all", fail)
    monkeypatch.setattr(pipeline_page, "show_feed_events", lambda _: None)
    monkeypatch.setattr(pipeline_page, "probe_elasticsearch", lambda _: ElasticsearchState(None, nothing))
    app = AppTest.from_function(states, default_timeout=RUN_TIMEOUT_S).run()
    assert not app.exception
    assert [error.value for error in app.error] == ["Something went wrong on this page."]
    assert app.dataframe[0].value["Indexed"].tolist()[0] == "Trades"


@pytest.mark.parametrize(
    ("in_compose", "component", "hint"),
    [
        ("", DETECTOR, "Start it: `tapewatch detect`."),
        ("true", DETECTOR, "Start it: `docker compose up --detach detector`."),
        ("true", PRODUCER, "It ends when its files are published. To publish more: `DATA_DIR=/path/to/days"),
    ],
)
def test_advice_is_in_terms_of_what_runs_the_services(
    in_compose: str, component: Component, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAPEWATCH_IN_COMPOSE", in_compose)
    assert pipeline_page.start_hint(component).startswith(hint)
