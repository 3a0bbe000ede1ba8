"""The short form of `make chaos ARGS='--alerts'`, and what it compares by."""

import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.chaos.alerts import SHARES, check_alone, compare, legs, plan, run_alert_chaos
from tests.chaos.day import Day, read_day, write_night
from tests.chaos.receivers import Accepted


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_revision_reaches_the_receivers_whatever_is_killed(tmp_path: Path) -> None:
    night = tmp_path / "night.csv"
    write_night(night, trades=25_000)
    outcome = run_alert_chaos([read_day(night)], tmp_path / "run", seed=3, kills=6, say=print)
    assert not outcome.violations, "\n".join(map(str, outcome.violations))
    assert sum(outcome.kills.values()) == 6
    assert all(outcome.told.values())


def taken(*keys: str, body: bytes = b"{}") -> list[Accepted]:
    """Return messages by keys such as `a.1`."""
    return [
        Accepted(alert_id, int(revision), body)
        for alert_id, _, revision in (key.partition(".") for key in keys)
    ]


def kinds(violations: list[object]) -> list[str]:
    return [violation.kind for violation in violations]  # type: ignore[attr-defined]


def test_what_is_missing_and_what_should_not_be_there_is_told() -> None:
    found = compare("hook", taken("a.1", "a.2"), taken("a.1", "b.1"))
    assert [(each.kind, each.examples) for each in found] == [("lost", ("a.2",)), ("unknown", ("b.1",))]
    assert compare("hook", taken("a.1", "b.1"), taken("b.1", "a.1", "a.1")) == []


def test_revisions_out_of_order_are_told() -> None:
    assert kinds([*check_alone("hook", taken("a.2", "b.1", "a.1"), 0)]) == ["out of order"]
    assert check_alone("hook", taken("b.1", "a.1", "a.2"), 0) == []


def test_more_repeats_than_faults_explain_are_told() -> None:
    repeated = taken("a.1", "a.2", "a.1", "a.1")
    assert check_alone("hook", repeated, 2) == []
    assert kinds([*check_alone("hook", repeated, 1)]) == ["repeated"]


def test_repeat_with_other_bytes_is_told() -> None:
    repeated = [*taken("a.1"), *taken("a.1", body=b"[]")]
    assert kinds([*check_alone("hook", repeated, 5)]) == ["repeated with other bytes"]


def test_each_part_gets_its_share_of_the_kills() -> None:
    chosen = plan(random.Random(1), 2 * sum(SHARES.values()))  # noqa: S311 - no secret
    assert Counter(chosen) == {part: 2 * share for part, share in SHARES.items()}


def test_legs_cover_every_trade_of_every_day_in_order() -> None:
    days = [Day(Path(name), [], np.arange(count) * 1_000_000, 0) for name, count in (("a", 1_000), ("b", 77))]
    found = list(legs(days, 7))
    assert len(found) == 7
    assert [leg.path.name for leg in found] == ["a"] * 4 + ["b"] * 3
    assert Counter({leg.path.name: 0 for leg in found}) | Counter(
        {name: sum(leg.trades for leg in found if leg.path.name == name) for name in "ab"}
    ) == {"a": 1_000, "b": 77}
