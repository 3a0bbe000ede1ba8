"""Cases of alerts in real Elasticsearch, and the labels that they give."""

import datetime as dt
import threading
from collections.abc import Iterator

import pytest

from dashboard.server.elastic import open_client
from infra.embedded.stack import EmbeddedStack
from infra.setup.templates import set_up_templates
from services.common.elastic.client import Elasticsearch
from services.common.errors import TapewatchError
from services.contracts.alert import Alert
from services.contracts.indices import CASES_INDEX, VERDICTS_INDEX
from services.review.case import (
    Action,
    Case,
    Entry,
    Outcome,
    Step,
)
from services.review.cases import (
    CaseChangedError,
    assignees,
    cases_of,
    closed_alerts,
    count_judged_cases,
    linked_from,
    take_step,
)
from services.review.history import Person
from services.review.verdicts import (
    Decision,
    count_verdicts,
    judged_trades,
    read_verdicts,
    record,
    verdicts_of,
    withdraw,
)
from tests.alerts import ALERT, changed

NOON = dt.datetime(2039, 12, 6, 12, 0, 0, 123_000, dt.UTC)
KIM, LEE = Person("Kim"), Person("Lee", signed_in=True)
OTHER = changed(first_trade="look-10", anomalies=["look-10", "look-100"], symbol="ELSE")


@pytest.fixture
def client(stack: EmbeddedStack) -> Iterator[Elasticsearch]:
    with open_client(stack.elasticsearch_url) as opened:
        set_up_templates(opened)
        opened.indices.delete(index=[VERDICTS_INDEX, CASES_INDEX], ignore_unavailable=True)
        yield opened
        opened.indices.delete(index=[VERDICTS_INDEX, CASES_INDEX], ignore_unavailable=True)


def case_now(client: Elasticsearch, alert: Alert = ALERT) -> Case:
    return cases_of(client, [alert.alert_id]).get(alert.alert_id, Case())


def step(client: Elasticsearch, wanted: Step, who: Person = KIM, alert: Alert = ALERT) -> Entry:
    return take_step(client, alert, case_now(client, alert), wanted, who, NOON)


def close(client: Elasticsearch, outcome: Outcome, alert: Alert = ALERT) -> Entry:
    return step(client, Step(Action.CLOSED, "why", outcome=outcome), alert=alert)


def test_a_cluster_without_cases_has_none(client: Elasticsearch) -> None:
    assert cases_of(client, [ALERT.alert_id]) == cases_of(client, []) == {}
    assert linked_from(client, ALERT.alert_id) == []
    assert closed_alerts(client) == ([], None)
    assert assignees(client) == {}
    assert count_judged_cases(client) == 0


def test_every_step_is_an_entry_of_its_own(client: Elasticsearch) -> None:
    taken = [
        step(client, Step(Action.ACKNOWLEDGED), LEE),
        step(client, Step(Action.ASSIGNED, assignee=" Kim ")),
        step(client, Step(Action.COMMENTED, " an auction? ")),
        step(client, Step(Action.LINKED, linked_to=OTHER.alert_id)),
        close(client, Outcome.INCONCLUSIVE),
        step(client, Step(Action.REOPENED, "more came")),
    ]
    case = case_now(client)
    assert case.entries == tuple(taken)
    assert [entry.number for entry in taken] == [1, 2, 3, 4, 5, 6]
    assert taken[0] == Entry(ALERT.alert_id, "LOOK", 1, Action.ACKNOWLEDGED, "Lee", NOON, signed_in=True)
    assert (taken[1].assignee, taken[2].comment) == ("Kim", "an auction?")
    assert taken[4].trades == taken[5].trades == ("look-60", "look-100")
    assert (case.assignee, case.links, case.closed) == ("Kim", (OTHER.alert_id,), None)
    assert linked_from(client, OTHER.alert_id) == [ALERT.alert_id]
    hits = client.search(index=CASES_INDEX, size=100)["hits"]["hits"]
    assert {hit["_id"] for hit in hits} == {f"{ALERT.alert_id}.{number}" for number in range(1, 7)}


def test_of_two_people_at_once_the_second_is_told_and_nothing_is_lost(client: Elasticsearch) -> None:
    seen = case_now(client)
    take_step(client, ALERT, seen, Step(Action.CLOSED, outcome=Outcome.CONFIRMED), LEE, NOON)
    with pytest.raises(CaseChangedError, match="Lee closed it as confirmed at 12:00:00 UTC"):
        take_step(client, ALERT, seen, Step(Action.COMMENTED, "wait"), KIM)
    (entry,) = case_now(client).entries
    assert entry.recorded_by == "Lee"
    step(client, Step(Action.COMMENTED, "wait"))
    assert [one.recorded_by for one in case_now(client).entries] == ["Lee", "Kim"]


def test_of_many_people_at_once_one_is_recorded_and_all_others_are_told(client: Elasticsearch) -> None:
    step(client, Step(Action.COMMENTED, "the first one makes the index"))
    seen = case_now(client)
    told: list[str] = []
    started = threading.Barrier(8)

    def act(name: str) -> None:
        started.wait()
        try:
            take_step(client, ALERT, seen, Step(Action.ACKNOWLEDGED), Person(name))
        except CaseChangedError as error:
            told.append(error.cause)

    threads = [threading.Thread(target=act, args=(f"P{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    _, winner = case_now(client).entries
    assert len(told) == 7
    assert all(text.startswith(f"{winner.recorded_by} acknowledged it at ") for text in told)


def test_what_the_case_does_not_allow_is_not_recorded(client: Elasticsearch) -> None:
    with pytest.raises(TapewatchError, match="open already"):
        step(client, Step(Action.REOPENED))
    assert case_now(client) == Case()


def test_a_case_closed_with_a_verdict_judges_its_trades_until_it_is_reopened(client: Elasticsearch) -> None:
    close(client, Outcome.FALSE_ALARM)
    found = verdicts_of(client, ["look-60", "look-100", "look-1"])
    assert {key: (one.verdict, one.comment, one.alert_id) for key, one in found.items()} == {
        "look-60": ("false alarm", "why", ALERT.alert_id),
        "look-100": ("false alarm", "why", ALERT.alert_id),
    }
    assert sorted(judged_trades(client, ["false alarm"])) == ["look-100", "look-60"]
    assert count_judged_cases(client) == 1
    assert closed_alerts(client) == ([ALERT.alert_id], None)
    step(client, Step(Action.REOPENED))
    assert verdicts_of(client, ["look-60", "look-100"]) == {}
    assert judged_trades(client, ["false alarm"]) == []
    assert count_judged_cases(client) == 0
    assert closed_alerts(client) == ([], None)
    close(client, Outcome.CONFIRMED)
    assert verdicts_of(client, ["look-60"])["look-60"].verdict == "confirmed"
    assert count_judged_cases(client) == 1


def test_reopening_takes_back_what_was_said_of_trades_that_have_left_the_alert(client: Elasticsearch) -> None:
    close(client, Outcome.CONFIRMED)
    seen = case_now(client)
    later = changed(anomalies=["look-100", "look-101"])
    take_step(client, later, seen, Step(Action.REOPENED), KIM)
    close(client, Outcome.CONFIRMED, later)
    assert sorted(verdicts_of(client, ["look-60", "look-100", "look-101"])) == ["look-100", "look-101"]
    assert sorted(judged_trades(client, ["confirmed"])) == ["look-100", "look-101"]


def test_an_inconclusive_case_is_no_label(client: Elasticsearch) -> None:
    close(client, Outcome.INCONCLUSIVE)
    assert verdicts_of(client, ["look-60"]) == {}
    assert count_judged_cases(client) == 0
    assert list(read_verdicts(client, 10)) == []


def test_of_two_cases_the_one_closed_last_judges_the_trade_of_both(client: Elasticsearch) -> None:
    close(client, Outcome.CONFIRMED, OTHER)
    later = Step(Action.CLOSED, outcome=Outcome.FALSE_ALARM)
    take_step(client, ALERT, Case(), later, KIM, NOON + dt.timedelta(seconds=1))
    found = {key: one.verdict for key, one in verdicts_of(client, ["look-10", "look-100"]).items()}
    assert found == {"look-10": "confirmed", "look-100": "false alarm"}


def test_a_verdict_on_the_anomaly_itself_counts_before_that_of_its_case(client: Elasticsearch) -> None:
    anomaly = {"trade_id": "look-60", "symbol": "LOOK", "@timestamp": ALERT.timestamp}
    record(client, anomaly, Decision.CONFIRMED, "", "Lee")
    close(client, Outcome.FALSE_ALARM)
    assert verdicts_of(client, ["look-60"])["look-60"].verdict == "confirmed"
    assert judged_trades(client, ["confirmed"]) == ["look-60"]
    assert judged_trades(client, ["false alarm"]) == ["look-100"]
    labels = [one for page in read_verdicts(client, 10) for one in page]
    assert [(one["trade_id"], one["verdict"], one.get("alert_id")) for one in labels] == [
        ("look-60", "confirmed", None),
        ("look-100", "false alarm", ALERT.alert_id),
    ]
    assert count_verdicts(client) == 1
    withdraw(client, "look-60", "Lee")
    assert verdicts_of(client, ["look-60"])["look-60"].verdict == "false alarm"
    assert sorted(judged_trades(client, ["false alarm"])) == ["look-100", "look-60"]


def test_judged_trades_are_found_by_symbol_and_time(client: Elasticsearch) -> None:
    close(client, Outcome.CONFIRMED)
    close(client, Outcome.CONFIRMED, OTHER)
    day = dt.datetime(2039, 12, 5, tzinfo=dt.UTC)
    assert judged_trades(client, ["confirmed"], ["NONE"]) == []
    assert sorted(judged_trades(client, ["confirmed"], ["ELSE"])) == ["look-10", "look-100"]
    assert judged_trades(client, ["confirmed"], end=day) == []
    assert judged_trades(client, ["confirmed"], start=day + dt.timedelta(days=9)) == []
    assert len(judged_trades(client, ["confirmed"], start=day)) == 3
    with pytest.raises(TapewatchError, match="more than 2 verdicts"):
        judged_trades(client, ["confirmed"], most=2)


def test_only_the_newest_assignment_counts(client: Elasticsearch) -> None:
    step(client, Step(Action.ASSIGNED, assignee="Kim"))
    step(client, Step(Action.ASSIGNED, assignee="Lee"))
    step(client, Step(Action.ASSIGNED, assignee="Kim"), alert=OTHER)
    assert assignees(client) == {ALERT.alert_id: "Lee", OTHER.alert_id: "Kim"}
    step(client, Step(Action.ASSIGNED, assignee=""), alert=OTHER)
    assert assignees(client) == {ALERT.alert_id: "Lee"}
