"""Tests against a server that imitates the few calls used; Kibana itself cannot be installed with pip."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from infra.kibana import client as module
from infra.kibana.client import Key
from infra.kibana.import_objects import import_objects, wait_for_kibana
from infra.kibana.objects.saved_object import RECENT, TAG, TimeRange
from services.common.errors import TapewatchError
from tests.standins.kibana import Kibana
from tests.stops import CountedStop
from tests.unit.infra.kibana.objects import OBJECTS

TAG_KEY = ("tag", TAG)
PRICE = ("lens", "tapewatch-price")
MARKET = ("dashboard", "tapewatch-market-dashboard")
OLD_DAY = TimeRange("2025-06-04T08:00:00.000Z", "2025-06-05T00:00:00.000Z")
DASHBOARD_URL = "https://tape.example.org"


@pytest.fixture
def kibana() -> Iterator[Kibana]:
    running = Kibana()
    yield running
    running.close()


@pytest.fixture
def notes() -> list[str]:
    return []


def bring(kibana: Kibana, notes: list[str] | None = None, **given: Any) -> list[str]:
    return import_objects(kibana.url, None, (notes if notes is not None else list[str]()).append, **given)


def opens_with(kibana: Kibana) -> dict[Key, tuple[str, str]]:
    """Return the time range of each dashboard and search."""
    found = {}
    for key, one in kibana.objects.items():
        attributes = one["attributes"]
        if key[0] == "dashboard":
            found[key] = (attributes["timeFrom"], attributes["timeTo"])
        elif key[0] == "search":
            found[key] = (attributes["timeRange"]["from"], attributes["timeRange"]["to"])
    return found


def test_every_object_is_created_once(kibana: Kibana, notes: list[str]) -> None:
    lines = bring(kibana, notes)
    assert len(lines) == len(OBJECTS) + 1
    assert "created in Kibana: dashboard Tapewatch: Market" in lines
    assert "created in Kibana: data view Tapewatch: Trades" in lines
    assert "created in Kibana: tag Tapewatch" in lines
    assert kibana.objects.keys() == {(one["type"], one["id"]) for one in OBJECTS} | {TAG_KEY}
    assert bring(kibana, notes) == []
    assert len(kibana.imported) == 1
    assert notes == []


def test_second_run_finds_the_objects_among_pages_of_others(
    kibana: Kibana, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAGE", 5)
    for number in range(12):
        key = ("dashboard", f"somebody's-{number}")
        kibana.objects[key] = {"type": key[0], "id": key[1], "attributes": {"title": "x"}}
    assert len(bring(kibana)) == len(OBJECTS) + 1
    assert bring(kibana) == []


def test_what_a_person_changed_stays_while_what_is_missing_comes_back(
    kibana: Kibana, notes: list[str]
) -> None:
    bring(kibana)
    kibana.objects[PRICE]["attributes"]["title"] = "mine"
    lost = kibana.objects.pop(("search", "tapewatch-all-trades"))
    assert bring(kibana, notes) == ["created in Kibana: search Tapewatch: All trades"]
    assert kibana.objects["search", "tapewatch-all-trades"] == lost
    assert kibana.objects[PRICE]["attributes"]["title"] == "mine"
    assert kibana.imported[1:] == [[("search", "tapewatch-all-trades")]]
    assert bring(kibana, notes) == []
    assert notes == []


def test_overwrite_resets_what_a_person_changed(kibana: Kibana) -> None:
    bring(kibana)
    kibana.objects[PRICE]["attributes"]["title"] = "mine"
    lines = bring(kibana, overwrite=True)
    assert len(lines) == len(OBJECTS)
    assert any(line.startswith("reset in Kibana: chart Tapewatch: Price by symbol") for line in lines)
    assert kibana.objects[PRICE]["attributes"]["title"].startswith("Tapewatch: Price")


@pytest.mark.parametrize("is_tagged", [True, False])
def test_objects_of_another_version_stay_and_the_way_to_the_new_ones_is_said(
    kibana: Kibana, notes: list[str], *, is_tagged: bool
) -> None:
    bring(kibana)
    if not is_tagged:
        del kibana.objects[TAG_KEY]
    before = json.dumps(kibana.objects[MARKET])
    bring(kibana, notes, dashboard_url=DASHBOARD_URL)
    assert json.dumps(kibana.objects[MARKET]) == before
    assert "`tapewatch setup --overwrite`" in notes[0]
    bring(kibana, notes, dashboard_url=DASHBOARD_URL)
    assert len(notes) == 2, "it is said each time"
    bring(kibana, notes, dashboard_url=DASHBOARD_URL, overwrite=True)
    assert bring(kibana, notes, dashboard_url=DASHBOARD_URL) == []
    assert len(notes) == 2


def test_dashboards_and_searches_open_with_the_newest_session_once_it_is_there(kibana: Kibana) -> None:
    bring(kibana)
    before = opens_with(kibana)
    assert bring(kibana, times=OLD_DAY) == [f"Kibana opens with {OLD_DAY.start} to {OLD_DAY.end}"]
    after = opens_with(kibana)
    relative = {key for key, times in before.items() if times == (RECENT.start, RECENT.end)}
    assert MARKET in relative
    assert {key for key, times in after.items() if times == (OLD_DAY.start, OLD_DAY.end)} == relative
    assert bring(kibana, times=OLD_DAY) == []
    bring(kibana, times=RECENT)
    assert opens_with(kibana) == before, "and with the last hours again once the tape runs"


def test_a_time_range_that_a_person_chose_stays(kibana: Kibana) -> None:
    bring(kibana, times=OLD_DAY)
    chosen = ("2025-06-04T13:00:00.000Z", "2025-06-04T14:00:00.000Z")
    attributes = kibana.objects[MARKET]["attributes"]
    attributes |= {"timeFrom": chosen[0], "timeTo": chosen[1], "title": "mine"}
    anomalies = ("dashboard", "tapewatch-anomalies-dashboard")
    kibana.objects[anomalies]["attributes"]["description"] = "mine too"
    bring(kibana, times=RECENT)
    assert opens_with(kibana)[MARKET] == chosen
    assert opens_with(kibana)[anomalies] == (RECENT.start, RECENT.end)
    assert kibana.objects[anomalies]["attributes"]["description"] == "mine too"


def test_times_stay_where_the_newest_session_is_not_known(kibana: Kibana) -> None:
    bring(kibana, times=OLD_DAY)
    kibana.objects.pop(MARKET)
    assert len(bring(kibana, times=None)) == 1
    assert opens_with(kibana)[MARKET] == (OLD_DAY.start, OLD_DAY.end)
    assert bring(kibana, times=None) == []


def test_the_time_of_a_search_is_found_where_a_newer_kibana_keeps_it(kibana: Kibana) -> None:
    bring(kibana)
    search = kibana.objects["search", "tapewatch-all-trades"]
    times = search["attributes"].pop("timeRange")
    search["attributes"]["tabs"] = [{"id": "1", "attributes": {"timeRange": times}}]
    bring(kibana, times=OLD_DAY)
    (tab,) = kibana.objects["search", "tapewatch-all-trades"]["attributes"]["tabs"]
    assert tab["attributes"]["timeRange"] == {"from": OLD_DAY.start, "to": OLD_DAY.end}


def test_a_tag_that_a_person_described_otherwise_is_written_again(kibana: Kibana, notes: list[str]) -> None:
    bring(kibana)
    kibana.objects[TAG_KEY]["attributes"]["description"] = "of the surveillance desk"
    assert bring(kibana, notes, times=OLD_DAY)
    assert "opens with 2025-06-04" in kibana.objects[TAG_KEY]["attributes"]["description"]
    assert len(notes) == 1


def test_rejected_object_is_named(kibana: Kibana) -> None:
    kibana.errors = [{"type": "lens", "id": "tapewatch-price", "error": {"type": "missing_references"}}]
    with pytest.raises(TapewatchError, match="lens tapewatch-price: missing_references"):
        bring(kibana)


def test_the_login_and_the_path_of_the_address_are_used_and_the_password_is_not_shown(kibana: Kibana) -> None:
    address, login = f"{kibana.url}/s/desk", ("elastic", "p@ss:wörd")
    import_objects(address, login, print)
    import_objects(address, login, print, times=OLD_DAY)
    assert kibana.authorization == f"Basic {base64.b64encode('elastic:p@ss:wörd'.encode()).decode()}"
    assert all(path.startswith("/s/desk/api/") for _, path in kibana.calls)
    kibana.statuses = [401]
    with pytest.raises(TapewatchError, match="rejects the user") as error:
        import_objects(address, login, print)
    assert "p@ss" not in str(error.value)
    assert f"{address} " in error.value.cause


def test_without_a_login_nobody_logs_in(kibana: Kibana) -> None:
    bring(kibana)
    assert kibana.authorization is None


@pytest.mark.parametrize(("status", "page"), [(404, "no such page"), (302, ""), (400, "a bad request")])
def test_rejection_is_reported(kibana: Kibana, status: int, page: str) -> None:
    kibana.statuses, kibana.page = [status], page
    with pytest.raises(TapewatchError, match=f"{status}.*{page}"):
        bring(kibana)


def test_a_server_other_than_kibana_is_reported(kibana: Kibana, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kibana, "result", lambda _request, _body: (200, '["no", "Kibana"]'))
    with pytest.raises(TapewatchError, match="Check that it is Kibana"):
        wait_for_kibana(kibana.url, None, CountedStop())


def test_kibana_that_stops_answering_is_reported(kibana: Kibana) -> None:
    kibana.statuses = [503]
    with pytest.raises(TapewatchError, match="does not answer"):
        bring(kibana)
    with pytest.raises(TapewatchError, match="does not answer"):
        import_objects("http://127.0.0.1:1", None, print)


def test_starting_kibana_is_waited_for(kibana: Kibana) -> None:
    kibana.statuses = [503, 503]
    assert wait_for_kibana(kibana.url, None, CountedStop())
    assert [path for _, path in kibana.calls] == ["/api/status"] * 3


def test_stop_ends_the_waiting(kibana: Kibana) -> None:
    stop = CountedStop()
    stop.request()
    assert not wait_for_kibana(kibana.url, None, stop)
