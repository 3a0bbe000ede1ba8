import datetime as dt

import pytest

from tests.grafana.macros import View, expand, seconds

NEW_YORK = dt.timezone(dt.timedelta(hours=-5))
VIEW = View(
    dt.datetime(2026, 3, 2, 19, 30, 0, 120_000, NEW_YORK),
    dt.datetime(2026, 3, 3, 8, tzinfo=dt.UTC),
    {"symbol": ["ACME", "O'BR"], "one": ["ACME"], "none": [], "severity": "severity", "interval": "10m"},
)


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        (
            "WHERE $__timeFilter(time)",
            "WHERE time BETWEEN '2026-03-03T00:30:00.12Z' AND '2026-03-03T08:00:00Z'",
        ),
        (
            "$__timeFrom()::date AND $__timeTo()::date",
            "'2026-03-03T00:30:00.12Z'::date AND '2026-03-03T08:00:00Z'::date",
        ),
        ("$__timeGroup(time, $interval)", "floor(extract(epoch from time)/600)*600"),
        ("$__timeGroup(t.time,'1s')", "floor(extract(epoch from t.time)/1)*1"),
        ("$__timeGroup(time, 250ms)", "floor(extract(epoch from time)/0.25)*0.25"),
        ("$__timeGroupAlias(time, 1d, NULL), x", 'floor(extract(epoch from time)/86400)*86400 AS "time", x'),
        ("interval '$interval'", "interval '10m'"),
        ("symbol IN (${symbol:sqlstring})", "symbol IN ('ACME','O''BR')"),
        ("symbol IN (${one:sqlstring})", "symbol IN ('ACME')"),
        ("ARRAY[${none:sqlstring}]::text[]", "ARRAY[]::text[]"),
        # The value for All is inserted as it is, whatever the format.
        ("severity IN (${severity:sqlstring})", "severity IN (severity)"),
    ],
)
def test_variables_and_macros_become_what_grafana_makes_of_them(text: str, expanded: str) -> None:
    assert expand(text, VIEW) == expanded


@pytest.mark.parametrize(
    "text",
    [
        "$label",
        "${label:sqlstring}",
        "$symbol",
        "${symbol:csv}",
        "$__timeBucket(time)",
        "$__timeGroup(time, x)",
    ],
)
def test_what_is_not_known_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="no "):
        expand(text, VIEW)


def test_an_interval_has_a_length() -> None:
    assert [seconds(one) for one in ("500ms", "10s", "1m", "6h", "1d")] == [0.5, 10, 60, 21_600, 86_400]
