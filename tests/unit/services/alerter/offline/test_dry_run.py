import datetime as dt
from collections.abc import Mapping

from rich.console import Console

from services.alerter.offline.dry_run import DryRun, Fate, dry_run
from services.alerter.offline.report import terminal_report
from services.alerter.rules.model import ChannelSpec, Hours, Match, Route, Rule, Rules
from services.contracts.alert import AlertState
from services.contracts.anomaly import Severity
from tests.unit.services.alerter.anomalies import NOON_NS, SECOND_NS, rule, seen

START_S = NOON_NS / SECOND_NS


def file(*some: Rule, budgets: Mapping[str, int | None] | None = None) -> Rules:
    channels = {
        name: ChannelSpec(name, "stdout", {}, most) for name, most in (budgets or {"desk": None}).items()
    }
    return Rules(some or (rule(),), channels, "0" * 16)


def fates(run: DryRun, channel: str = "desk") -> dict[Fate, int]:
    return dict(run.fates()["all", channel])


def test_each_revision_is_a_message_at_its_event_time() -> None:
    run = dry_run([seen(0, "a"), seen(30, "b"), seen(200, "c")], file())
    assert [(one.at_s - START_S, one.alert.state, one.alert.count) for one in run.sent] == [
        (0, AlertState.OPENED, 1),
        (30, AlertState.GREW, 2),
        (90, AlertState.CLOSED, 2),
        (200, AlertState.OPENED, 1),
        (260, AlertState.CLOSED, 1),
    ]
    assert (run.anomalies, run.symbols, run.days, len(run.alerts)) == (3, 1, 1, 2)


def test_anomalies_may_come_in_any_order_of_files() -> None:
    day = [seen(0, "a"), seen(30, "b"), seen(200, "c"), seen(10, "d", symbol="AAPL")]
    assert dry_run(day, file()) == dry_run([day[2], day[3], day[0], day[1]], file())


def test_a_budget_holds_back_what_is_over_it_within_the_hour() -> None:
    day = [seen(300 * n, f"t{n}") for n in range(14)]
    run = dry_run(day, file(budgets={"desk": 4}))
    assert fates(run) == {Fate.SENT: 8, Fate.OVER_BUDGET: 20}
    assert [one.at_s - START_S for one in run.sent] == [0, 60, 300, 360, 3600, 3660, 3900, 3960]


def test_hours_are_those_of_the_event_time() -> None:
    until_noon = Hours(frozenset({0}), dt.time(9), dt.time(11, 1), "America/New_York")
    rules = file(rule(send=(Route("desk", hours=until_noon),)))
    assert fates(dry_run([seen(0, "a")], rules)) == {Fate.SENT: 1, Fate.OUTSIDE_HOURS: 1}


def test_inhibited_revisions_are_not_sent_and_cost_no_budget() -> None:
    day = [seen(0, "a", severity="critical"), seen(1, "b", labels=["Silence"])]
    assert fates(dry_run(day, file(budgets={"desk": 2}))) == {Fate.SENT: 2, Fate.INHIBITED: 2}


def test_routes_take_what_is_urgent_enough() -> None:
    rules = file(
        rule(send=(Route("desk"), Route("pager", Severity.HIGH))), budgets={"desk": None, "pager": None}
    )
    run = dry_run([seen(0, "a"), seen(10, "b", severity="high")], rules)
    assert fates(run) == {Fate.SENT: 3}
    assert fates(run, "pager") == {Fate.SENT: 2}


def test_the_worst_come_first() -> None:
    day = [
        seen(0, "a", severity="high", score=0.8),
        seen(100, "b", severity="critical", score=0.95),
        seen(200, "c", severity="high", score=0.9),
    ]
    assert [alert.first_trade for alert in dry_run(day, file()).worst(2)] == ["b", "c"]


def test_natural_events_are_not_counted() -> None:
    run = dry_run([seen(0, "a", severity="info")], file())
    assert (run.anomalies, run.days, run.alerts, run.messages) == (0, 0, [], [])


def report(run: DryRun) -> str:
    console = Console(width=200, force_terminal=False)
    with console.capture() as captured:
        console.print(terminal_report(run))
    return captured.get()


def test_the_report_says_what_would_have_been_sent() -> None:
    day = [seen(3600 * n, f"t{n}", severity="high") for n in range(3)]
    text = report(dry_run(day, file(budgets={"desk": 1})))
    assert "3 anomalies of 1 symbol on 1 day would have made 3 alerts and sent 3 messages." in text
    assert "Budgets would have held back 3 more, counted in digests." in text
    lines = [line.split() for line in text.splitlines()]
    assert ["all", "desk", "3", "3", "0", "0", "3"] in lines
    assert ["high", "3", "3"] in lines
    assert [line[:2] for line in lines if len(line) == 3 and line[0] in ("11", "12", "13")] == [
        ["11", "1"],
        ["12", "1"],
        ["13", "1"],
    ]
    assert "Burst of t0." in text


def test_a_report_of_nothing_still_names_the_rules() -> None:
    text = report(dry_run([], file(rule("quiet", match=Match(severity=Severity.CRITICAL)))))
    assert "0 anomalies of 0 symbols on 0 days would have made 0 alerts and sent 0 messages." in text
    assert ["quiet", "desk", "0", "0", "0", "0", "0"] in [line.split() for line in text.splitlines()]
