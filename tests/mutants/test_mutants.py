"""Every mutant is noticed in time by what is to notice it, and no harmless change is taken for one."""

import re
from collections.abc import Sequence

import pytest

from services.contracts.detectors import DETECTORS
from tests.docs.pages import ROOT, rows
from tests.mutants.base import Harmless, Mutant
from tests.mutants.registry import HARMLESS, MUTANTS
from tests.mutants.rig import IN_TIME_S, Setup, run

QUICK_MUTANTS = ("state_is_frozen", "off_market_price_times_100")
QUICK_HARMLESS = ("restarts",)
PAGE = (ROOT / "docs" / "trust.md").read_text()


def parts(every: dict[str, Mutant] | dict[str, Harmless], quick: Sequence[str]) -> list[object]:
    """Return all as parameters, all but the quick ones for the long run."""
    return [
        pytest.param(one, id=name, marks=() if name in quick else pytest.mark.slow)
        for name, one in every.items()
    ]


@pytest.mark.parametrize("mutant", parts(MUTANTS, QUICK_MUTANTS))
def test_a_mutant_is_noticed_in_time(mutant: Mutant) -> None:
    red = run(mutant.setup(Setup()), mutant.patch, awaited=mutant.check).red
    assert red is not None
    assert 0 < red.after_s <= IN_TIME_S


@pytest.mark.parametrize("change", parts(HARMLESS, QUICK_HARMLESS))
def test_a_harmless_change_is_not_taken_for_a_fault(change: Harmless) -> None:
    result = run(change.setup(Setup()))
    assert result.red is None
    if change.name not in ("planned_day", "nothing_trades"):
        assert result.fired


def test_there_are_enough_of_both() -> None:
    assert len(MUTANTS) >= 20
    assert len(HARMLESS) >= 20


def test_the_page_has_the_table_of_mutants_and_the_list_of_harmless_changes() -> None:
    table = [row for row in rows(PAGE) if "mutant" in row]
    assert [row["mutant"].strip("`") for row in table] == [*MUTANTS]
    for row, mutant in zip(table, MUTANTS.values(), strict=True):
        assert row["what is broken"] == mutant.what
        assert row["noticed by"] == (
            DETECTORS[mutant.check].title if mutant.check in DETECTORS else mutant.check
        )
        minutes = re.fullmatch(r"(\d+\.\d) min", row["after"])
        assert minutes
        assert float(minutes[1]) * 60 <= IN_TIME_S
    listed = [row for row in rows(PAGE) if "harmless change" in row]
    assert [(row["name"].strip("`"), row["harmless change"]) for row in listed] == [
        (change.name, change.what) for change in HARMLESS.values()
    ]
