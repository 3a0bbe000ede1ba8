from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.pages.pipeline import page as pipeline_page
from dashboard.pages.pipeline.probe import ElasticsearchState, ServiceState, Status
from dashboard.server.indexed_data import Documents, IndexedData
from services.common.observability.samples import to_samples
from services.contracts.components import DETECTOR, FEED, PRODUCER, Component
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


def test_an_alerters_channels_are_shown_and_an_alerter_that_does_not_run_is_no_problem(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nothing = IndexedData(Documents(0, None), Documents(0, None), None)
    detector = ServiceState("host:9102", "detector", Status.WORKING, version="1")
    samples = to_samples('tapewatch_alert_queue_length{channel="desk"} 0')
    alerter = ServiceState("host:9105", "alerter", Status.WORKING, version="1", samples=samples)
    running = [detector, alerter]
    monkeypatch.setattr(pipeline_page, "probe_all", lambda _: running)
    monkeypatch.setattr(pipeline_page, "show_feed_events", lambda _: None)
    monkeypatch.setattr(pipeline_page, "probe_elasticsearch", lambda _: ElasticsearchState(None, nothing))
    app = AppTest.from_function(states, default_timeout=RUN_TIMEOUT_S).run()
    assert [one.value for one in app.subheader] == ["Alert channels", "Elasticsearch"]
    assert app.dataframe[1].value["Channel"].tolist() == ["desk"]
    running.pop()
    app.run()
    assert [one.value for one in app.subheader] == ["Elasticsearch"]
    assert not [*app.warning, *app.error, *app.info, *app.exception]


@pytest.mark.parametrize(
    ("in_compose", "component", "hint"),
    [
        ("", DETECTOR, "Start it: `tapewatch detect`."),
        ("true", DETECTOR, "Start it: `docker compose up --detach detector`."),
        (
            "true",
            FEED,
            "To watch a market live: `FEED=coinbase:BTC-USD,ETH-USD docker compose --profile live",
        ),
        ("true", PRODUCER, "It ends when its files are published. To publish more: `DATA_DIR=/path/to/days"),
    ],
)
def test_advice_is_in_terms_of_what_runs_the_services(
    in_compose: str, component: Component, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAPEWATCH_IN_COMPOSE", in_compose)
    assert pipeline_page.start_hint(component).startswith(hint)
