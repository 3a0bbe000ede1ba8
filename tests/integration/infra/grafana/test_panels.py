"""Runs the SQL of each panel and variable on Postgres, expanded as by Grafana, and recounts the documents."""

import datetime as dt
import re
from decimal import Decimal
from typing import Any

import pytest

from infra.embedded.postgres_server import PostgresServer
from infra.grafana.objects.queries import MOST_POINTS
from services.contracts.detectors import LABELS
from services.contracts.postgres import READER_ROLE
from tests.grafana.dashboards import DASHBOARDS, SQL, Query, variables
from tests.grafana.generated import Tape, generated_tape
from tests.grafana.macros import Chosen as Values
from tests.grafana.macros import View, expand
from tests.integration.infra.grafana.recount import RECOUNTS, Chosen, Row
from tests.integration.postgres.database import Database, new_database

TRADES = 20_000
DAY = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
DAYS = ["20260228", "20260301", "20260302", "20260303", "20260304"]
ALL_SYMBOLS = ["ACME", "BOLT", "CRUX", "DYNA", "EMBR"]
VIEWS = {
    "all of the day and the night after it": (DAY, DAY + dt.timedelta(days=2), "10m", True),
    "a choice, by the minute": (
        DAY.replace(hour=14, minute=31),
        DAY.replace(hour=20, minute=59),
        "1m",
        False,
    ),
    "the evening across midnight": (
        DAY.replace(hour=20, minute=40),
        DAY + dt.timedelta(hours=25),
        "1h",
        True,
    ),
}


def view(dashboard: str, name: str) -> View:
    """Return a time range and the values of a dashboard's variables."""
    start, end, interval, is_all = VIEWS[name]
    values: dict[str, Values] = {"interval": interval}
    for variable, chosen in (
        ("symbol", ALL_SYMBOLS if is_all else ["ACME", "EMBR"]),
        ("label", [LABELS[0], "Unusual Size", "Off-Market Price"]),
        ("severity", ["low", "high", "critical"]),
    ):
        one = variables(dashboard).get(variable)
        if one is not None:
            values[variable] = one["allValue"] if is_all and one["includeAll"] else chosen
    return View(start, end, values)


@pytest.fixture(scope="module")
def tape() -> Tape:
    tape = generated_tape(TRADES)
    for one in tape.trades[::53]:
        one["price_eligible"] = False
    for one in tape.trades[::71]:
        one["volume_eligible"] = False
    states = {one["alert_id"]: one["state"] for one in tape.alerts}
    assert {"closed"} < {*states.values()}, "some are closed, and some still open"
    assert len(states) < len(tape.alerts)
    tape.trades[10]["conditions"] = ["odd_lot", "form_t"]
    return tape


@pytest.fixture(scope="module")
def database(postgres: PostgresServer, tape: Tape, tmp_path_factory: pytest.TempPathFactory) -> Database:
    database = new_database(postgres, tmp_path_factory.mktemp("grafana"))
    tape.write(database)
    for table in ("trades", "anomalies", "alerts"):
        for day in DAYS:
            database.rows("SELECT ensure_day(%s, %s::date)", table, day)
    return database


def ask(database: Database, text: str, zone: str = "UTC") -> list[Row]:
    """Return the rows that Grafana's user gets."""
    with database.connection(READER_ROLE).connect("test") as session:
        session.execute(f"SET TimeZone = '{zone}'")
        cursor = session.execute(text.encode())
        names = [column.name for column in cursor.description or ()]
        return [{name: plain(value) for name, value in zip(names, row, strict=True)} for row in cursor]


def plain(value: Any) -> Any:  # noqa: ANN401
    """Return a value as Grafana draws it: times as seconds since 1970, numbers as floats."""
    if isinstance(value, dt.datetime):
        return value.timestamp()
    return float(value) if isinstance(value, Decimal) else value


def same(found: list[Row], counted: list[Row]) -> None:
    """Compare rows; sums of decimals depend on their order in the last digits."""
    assert len(found) == len(counted)
    for one, other in zip(found, counted, strict=True):
        assert one.keys() == other.keys()
        for name, value in other.items():
            assert one[name] == (pytest.approx(value, rel=1e-9) if isinstance(value, float) else value), name


def test_every_query_has_a_recount() -> None:
    assert sorted(one.name for one in SQL) == sorted(RECOUNTS)


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("query", SQL, ids=lambda query: query.name)
def test_a_panel_shows_what_the_documents_have(
    query: Query, name: str, database: Database, tape: Tape
) -> None:
    seen = view(query.dashboard, name)
    found = ask(database, expand(query.text, seen))
    counted = RECOUNTS[query.name](Chosen(tape, seen))
    assert counted, "the day has nothing for this panel"
    if query.target["format"] == "time_series":
        assert [row["time"] for row in found] == sorted(row["time"] for row in found)
        keys = [name for name in found[0] if name in ("time", "series", "side", "symbol", "label")]
        found, counted = (
            sorted(rows, key=lambda row: [row[key] for key in keys] + [str(row)]) for rows in (found, counted)
        )
    same(found, counted)


@pytest.mark.parametrize("query", SQL, ids=lambda query: query.name)
@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
def test_the_servers_time_zone_changes_nothing(query: Query, zone: str, database: Database) -> None:
    text = expand(query.text, view(query.dashboard, "the evening across midnight"))
    same(ask(database, text, zone), ask(database, text))


def partitions(plan: Any) -> set[str]:  # noqa: ANN401
    """Return the tables that a plan reads."""
    if isinstance(plan, list):
        return {name for one in plan for name in partitions(one)}
    if not isinstance(plan, dict):
        return set()
    own = {plan["Relation Name"]} if "Relation Name" in plan else set()
    return own.union(*(partitions(value) for value in plan.values()))


def texts() -> list[tuple[str, str]]:
    """Return the SQL of all panels and variables, with the dashboards' names."""
    asked = [
        (name, one["query"])
        for name in DASHBOARDS
        for one in variables(name).values()
        if one["type"] == "query"
    ]
    assert len(asked) == 3
    return [(one.dashboard, one.text) for one in SQL] + asked


@pytest.mark.parametrize(("dashboard", "text"), texts())
def test_a_plan_has_only_the_days_of_the_time_range(dashboard: str, text: str, database: Database) -> None:
    seen = view(dashboard, "the evening across midnight")
    ((plan,),) = (row.values() for row in ask(database, "EXPLAIN (FORMAT JSON) " + expand(text, seen)))
    days = {name.partition("_")[2] for name in partitions(plan)}
    assert days == {"20260302", "20260303"}


@pytest.mark.parametrize(("dashboard", "text"), texts())
def test_a_query_has_a_limit_or_one_row(dashboard: str, text: str, database: Database) -> None:
    limits = [int(found) for found in re.findall(r"LIMIT (\d+)\b", text)]
    rows = ask(database, expand(text, view(dashboard, "all of the day and the night after it")))
    assert len(rows) <= max(limits) if limits else len(rows) == 1
    assert all(limit <= MOST_POINTS for limit in limits)


def test_the_newest_stay_where_there_are_too_many(database: Database) -> None:
    (pace,) = (one for one in SQL if one.name == "market: Trades a minute")
    seen = view("market", "a choice, by the minute")
    all_rows = ask(database, expand(pace.text, seen))
    assert ask(database, expand(pace.text.replace(f"LIMIT {MOST_POINTS}", "LIMIT 7"), seen)) == all_rows[-7:]


def test_the_map_has_the_symbols_with_the_highest_scores(database: Database, tape: Tape) -> None:
    (score_map,) = (one for one in SQL if one.panel["type"] == "status-history")
    seen = view("anomalies", "all of the day and the night after it")
    counted = RECOUNTS[score_map.name](Chosen(tape, seen))
    highest = {row["symbol"]: row["score"] for row in sorted(counted, key=lambda row: row["score"])}
    worst = sorted(highest, key=lambda symbol: (-highest[symbol], symbol))[:2]
    assert len(highest) > len(worst)
    found = ask(database, expand(score_map.text.replace("LIMIT 25", "LIMIT 2"), seen))
    assert {row["symbol"] for row in found} == {*worst}
    assert len(found) == sum(row["symbol"] in worst for row in counted)


def test_the_choice_of_symbols_has_all_of_the_days_shown(database: Database) -> None:
    for name in ("market", "anomalies", "alerts"):
        text = variables(name)["symbol"]["query"]
        seen = view(name, "all of the day and the night after it")
        found = [row["symbol"] for row in ask(database, expand(text, seen))]
        assert found == (ALL_SYMBOLS if name == "market" else sorted({*found} & {*ALL_SYMBOLS}))
        assert found
    nothing = View(DAY - dt.timedelta(days=2), DAY - dt.timedelta(days=1), {})
    assert ask(database, expand(variables("market")["symbol"]["query"], nothing)) == []


@pytest.mark.parametrize("is_chosen", [True, False])
def test_an_hour_without_data_gives_numbers_and_no_rows(is_chosen: bool, database: Database) -> None:
    for query in SQL:
        seen = view(query.dashboard, "all of the day and the night after it")
        values = seen.variables if is_chosen else {**seen.variables, "symbol": []}
        seen = View(DAY - dt.timedelta(hours=20), DAY - dt.timedelta(hours=19), values)
        rows = ask(database, expand(query.text, seen))
        assert all(value == 0 for row in rows for value in row.values()), query.name
