import datetime as dt
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import TapewatchError
from services.review.case import (
    Action,
    Case,
    Entry,
    Outcome,
    Step,
    case_of,
    refusal,
)
from services.review.history import MAX_NAME, Person

NOON = dt.datetime(2039, 12, 6, 12, tzinfo=dt.UTC)
OTHER = "f" * 32


def entry(number: int, action: Action, **fields: Any) -> Entry:
    at = NOON + dt.timedelta(minutes=number)
    return Entry("a" * 32, "LOOK", number, action, fields.pop("by", "Kim"), at, **fields)


def test_an_alert_that_nobody_has_touched_is_open() -> None:
    assert case_of([]) == Case()


def test_a_case_is_what_its_entries_say() -> None:
    entries = [
        entry(1, Action.ACKNOWLEDGED),
        entry(2, Action.ACKNOWLEDGED, by="Lee"),
        entry(3, Action.ASSIGNED, assignee="Lee"),
        entry(4, Action.LINKED, linked_to=OTHER),
        entry(5, Action.COMMENTED, comment="an auction"),
        entry(6, Action.CLOSED, outcome=Outcome.FALSE_ALARM, trades=("t1",)),
    ]
    case = case_of(entries)
    assert case.acknowledged == entries[0]
    assert case.assignee == "Lee"
    assert case.links == (OTHER,)
    assert case.closed == entries[5]
    assert case.entries == tuple(entries)


def test_a_reopened_case_waits_to_be_acknowledged_again_and_keeps_its_assignee() -> None:
    case = case_of(
        [
            entry(1, Action.ACKNOWLEDGED),
            entry(2, Action.ASSIGNED, assignee="Lee"),
            entry(3, Action.CLOSED, outcome=Outcome.CONFIRMED),
            entry(4, Action.REOPENED, outcome=Outcome.CONFIRMED),
        ]
    )
    assert (case.acknowledged, case.closed, case.assignee) == (None, None, "Lee")
    assert case_of([*case.entries, entry(5, Action.ASSIGNED, assignee="")]).assignee is None


steps = st.builds(
    Step,
    st.sampled_from(Action),
    comment=st.sampled_from(["", "why"]),
    assignee=st.sampled_from(["", "Kim", "Lee"]),
    linked_to=st.sampled_from([OTHER, "e" * 32]),
    outcome=st.sampled_from(Outcome),
)


@given(st.lists(steps, max_size=20), st.randoms(use_true_random=False))
def test_a_case_does_not_depend_on_the_order_in_which_its_entries_are_read(
    wanted: list[Step], chance: random.Random
) -> None:
    taken: list[Entry] = []
    for step in wanted:
        if refusal(case_of(taken), step) is None:
            number = len(taken) + 1
            fields = {"assignee": step.assignee, "linked_to": step.linked_to, "outcome": step.outcome}
            taken.append(entry(number, step.action, comment=step.comment, **fields))
    case = case_of(taken)
    mixed = list(taken)
    chance.shuffle(mixed)
    assert case_of(mixed) == case
    opened = [one.action for one in taken if one.action in (Action.CLOSED, Action.REOPENED)]
    # Closed and reopened in turns: what `count_judged_cases` relies on.
    assert opened == [Action.CLOSED, Action.REOPENED] * (len(opened) // 2) + [Action.CLOSED] * (
        len(opened) % 2
    )
    assert (case.closed is not None) == (len(opened) % 2 == 1)


@pytest.mark.parametrize(
    ("entries", "step", "reason"),
    [
        ([], Step(Action.REOPENED), "open already"),
        ([], Step(Action.CLOSED), "outcome is missing"),
        ([], Step(Action.COMMENTED, comment=" "), "comment is empty"),
        ([], Step(Action.LINKED), "id is missing"),
        ([entry(1, Action.ACKNOWLEDGED)], Step(Action.ACKNOWLEDGED), "Kim has acknowledged it"),
        ([entry(1, Action.CLOSED, outcome=Outcome.CONFIRMED)], Step(Action.ACKNOWLEDGED), "case is closed"),
        (
            [entry(1, Action.CLOSED, outcome=Outcome.CONFIRMED)],
            Step(Action.CLOSED, outcome=Outcome.FALSE_ALARM),
            "closed already",
        ),
        ([entry(1, Action.LINKED, linked_to=OTHER)], Step(Action.LINKED, linked_to=OTHER), "linked to that"),
    ],
)
def test_a_step_that_makes_no_sense_is_refused_with_the_reason(
    entries: list[Entry], step: Step, reason: str
) -> None:
    error = refusal(case_of(entries), step)
    assert error is not None
    assert reason in error.cause


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        (entry(1, Action.ACKNOWLEDGED), "acknowledged it"),
        (entry(1, Action.REOPENED), "reopened it"),
        (entry(1, Action.ASSIGNED, assignee="Lee"), "assigned it to Lee"),
        (entry(1, Action.ASSIGNED, assignee=""), "assigned it to nobody"),
        (entry(1, Action.COMMENTED), "commented"),
        (entry(1, Action.LINKED, linked_to="ab"), "linked it to ab"),
        (entry(1, Action.CLOSED, outcome=Outcome.INCONCLUSIVE), "closed it as inconclusive"),
    ],
)
def test_an_entry_reads_as_a_sentence(entry: Entry, sentence: str) -> None:
    assert entry.sentence == sentence


def test_nobody_takes_a_step_without_a_name() -> None:
    with pytest.raises(TapewatchError, match="without a name"):
        Person("  ")
    assert Person(f" {'x' * 200}").name == "x" * MAX_NAME
