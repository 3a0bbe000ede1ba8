"""What Kibana's dashboards ask for."""

import pytest

from infra.kibana.asking.requests import requests_of
from services.contracts.indices import ANOMALIES_DATA_VIEW, TRADES_DATA_VIEW
from tests.unit.infra.kibana.objects import (
    BY_KEY,
    DASHBOARDS,
    DATA_VIEWS,
    Saved,
    controls,
    panels,
    types,
)

TYPES = {view["id"]: types(view["id"]) for view in DATA_VIEWS}


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda one: str(one["id"]))
def test_each_panel_but_links_and_each_control_asks(dashboard: Saved) -> None:
    asked = list(requests_of(dashboard, BY_KEY, TYPES))
    shown = [one for one in panels(dashboard) if one["type"] != "links"]
    assert len(asked) >= len(shown) + len(list(controls(dashboard)))


def test_marks_on_the_price_ask_for_anomalies_and_controls_for_their_field() -> None:
    asked = list(requests_of(BY_KEY["dashboard", "tapewatch-market-dashboard"], BY_KEY, TYPES))
    marks = [one for one in asked if one.view_id == ANOMALIES_DATA_VIEW]
    assert [one.condition for one in marks] == [
        {"term": {"severity": severity}} for severity in ("medium", "high", "critical")
    ]
    offered = [
        one.body["aggs"]["offered"]["terms"]["field"]
        for one in asked
        if "offered" in one.body.get("aggs", {})
    ]
    assert offered == ["symbol", "side"]
    assert {one.view_id for one in asked} == {ANOMALIES_DATA_VIEW, TRADES_DATA_VIEW}
