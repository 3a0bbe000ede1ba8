"""The queries of the alerts page against real Elasticsearch."""

from collections.abc import Iterator

import pytest

from dashboard.server.alerts import (
    Filters,
    count_open,
    find_alerts,
    find_alerts_by_id,
    find_deliveries,
    find_earlier_alerts,
    find_symbols,
)
from dashboard.server.elastic import open_client
from infra.embedded.stack import EmbeddedStack
from services.common.elastic.client import Elasticsearch
from services.contracts.alert import Alert
from services.review import cases
from services.review.case import (
    Action,
    Case,
    Outcome,
    Step,
)
from services.review.cases import (
    cases_of,
    take_step,
)
from services.review.history import Person
from tests.browser.alerts import FIRST, indexed_alerts


@pytest.fixture(scope="module")
def client(stack: EmbeddedStack) -> Iterator[Elasticsearch]:
    with open_client(stack.elasticsearch_url) as opened:
        yield opened


@pytest.fixture
def made(client: Elasticsearch) -> Iterator[list[Alert]]:
    with indexed_alerts(client) as alerts:
        yield alerts


def step(client: Elasticsearch, alert: Alert, wanted: Step) -> None:
    case = cases_of(client, [alert.alert_id]).get(alert.alert_id, Case())
    take_step(client, alert, case, wanted, Person("Kim"))


def close(client: Elasticsearch, alert: Alert) -> None:
    step(client, alert, Step(Action.CLOSED, outcome=Outcome.INCONCLUSIVE))


def test_without_indices_there_is_nothing(client: Elasticsearch) -> None:
    found = find_alerts(client, Filters())
    assert (found.alerts, found.total, found.newest) == ([], 0, "")
    assert find_alerts_by_id(client, []) == find_alerts_by_id(client, ["a"]) == {}
    assert find_deliveries(client, "a") == []
    assert find_symbols(client) == []
    assert count_open(client) == 0


def test_open_alerts_come_newest_first_without_those_taken_back(
    client: Elasticsearch, made: list[Alert]
) -> None:
    found = find_alerts(client, Filters())
    assert [alert.alert_id for alert in found.alerts] == [made[number].alert_id for number in (4, 2, 1, 0)]
    assert found.alerts[0].links == found.alerts[3].links == {}  # they would run code
    assert count_open(client) == found.total == 4
    assert found.newest.startswith("2039-12-05T15:00:00.120")
    assert find_symbols(client) == ["BTC-USD", "ETH-USD", "LOOK", "NVDA"]


def test_a_closed_alert_is_in_the_other_list_until_it_is_reopened(
    client: Elasticsearch, made: list[Alert]
) -> None:
    close(client, made[1])
    assert count_open(client) == 3
    closed = find_alerts(client, Filters(is_closed=True))
    assert [alert.alert_id for alert in closed.alerts] == [made[1].alert_id]
    step(client, made[1], Step(Action.REOPENED))
    assert count_open(client) == 4
    assert find_alerts(client, Filters(is_closed=True)).total == 0


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filters(severities=("high",)), [1]),
        (Filters(symbols=("LOOK", "NONE")), [4, 0]),
        (Filters(symbols=("NONE",)), []),
        (Filters(severities=("medium", "critical"), symbols=("LOOK",)), [4, 0]),
        (Filters(assignee="Kim"), [2]),
        (Filters(assignee="Lee"), [0]),
        (Filters(assignee="Nobody"), []),
        (Filters(assignee=""), [4, 1]),
    ],
)
def test_alerts_are_filtered(
    client: Elasticsearch, made: list[Alert], filters: Filters, expected: list[int]
) -> None:
    step(client, made[0], Step(Action.ASSIGNED, assignee="Lee"))
    step(client, made[2], Step(Action.ASSIGNED, assignee="Lee"))
    step(client, made[2], Step(Action.ASSIGNED, assignee="Kim"))
    step(client, made[4], Step(Action.ASSIGNED, assignee="Kim"))
    step(client, made[4], Step(Action.ASSIGNED, assignee=""))
    found = find_alerts(client, filters)
    assert [alert.alert_id for alert in found.alerts] == [made[number].alert_id for number in expected]


def test_beyond_the_closed_cases_that_are_looked_at_no_alert_counts_as_open(
    client: Elasticsearch, made: list[Alert], monkeypatch: pytest.MonkeyPatch
) -> None:
    for alert in (made[1], made[2]):
        close(client, alert)
    monkeypatch.setattr(cases, "MAX_FOUND", 2)
    found = find_alerts(client, Filters())
    assert [alert.alert_id for alert in found.alerts] == [made[4].alert_id]


def test_a_long_list_is_cut_and_says_how_long_it_is(client: Elasticsearch, made: list[Alert]) -> None:
    found = find_alerts(client, Filters(), most=2)
    assert (len(found.alerts), found.total) == (2, 4)


def test_earlier_alerts_are_those_on_the_symbol_before(client: Elasticsearch, made: list[Alert]) -> None:
    earlier = find_earlier_alerts(client, made[4])
    assert ([alert.alert_id for alert in earlier.alerts], earlier.total) == ([FIRST.alert_id], 1)
    assert find_earlier_alerts(client, made[0]).total == 0


def test_tries_to_send_come_newest_first(client: Elasticsearch, made: list[Alert]) -> None:
    found = find_deliveries(client, FIRST.alert_id)
    assert [one["outcome"] for one in found] == ["held", "sent", "sent", "failed"]
    assert find_deliveries(client, made[1].alert_id) == []


def test_an_alert_is_found_by_its_id(client: Elasticsearch, made: list[Alert]) -> None:
    ids = [alert.alert_id for alert in made]
    assert find_alerts_by_id(client, [*ids, "*", "nosuch"]).keys() == set(ids)
