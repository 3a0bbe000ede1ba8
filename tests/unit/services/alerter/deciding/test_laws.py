"""What holds of every tape: alerts depend on a symbol's messages and the clock that these carry alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.alerter.deciding import state
from services.alerter.deciding.decider import Decider
from services.alerter.rules.model import Match
from services.alerter.seen import Seen
from services.contracts.alert import Alert, AlertState
from services.contracts.anomaly import Severity
from services.contracts.correction import Correction
from tests.unit.services.alerter.anomalies import NEVER_NS, at, correction, rule, rules, seen

RULES = rules(
    rule("labels", inhibited_by=Severity.HIGH),
    rule("families", group_by="family", quiet_s=150.0, match=Match(severity=Severity.MEDIUM)),
    rule("everything", group_by="none", inhibited_by=None, match=Match(score=0.6)),
)


@dataclass(frozen=True)
class Retraction:
    """One message that takes an anomaly back."""

    trade_id: str
    clock_ns: int


Message = Seen | Retraction | Correction


@st.composite
def tapes(draw: st.DrawFn, with_retractions: bool = True) -> list[Message]:
    """Draw a symbol's messages in the order of the partition: late ones, stamps ahead, growth, pauses."""
    clock_s = 0.0
    messages: list[Message] = []
    first: list[dict[str, Any]] = []
    kinds = ["new", "new", "new", "grown"] + ["retracted"] * with_retractions
    for number in range(draw(st.integers(1, 16))):
        clock_s += draw(st.sampled_from([0, 0, 1, 20, 59, 60, 61, 150, 200]))
        kind = draw(st.sampled_from(kinds)) if first else "new"
        fields: dict[str, Any]
        if kind == "new":
            fields = {
                "second": clock_s + draw(st.sampled_from([0, 0, 1, 61, -5, -59, -120, 86_400])),
                "trade_id": f"t{number}",
                "labels": draw(st.sampled_from([["Burst"], ["Fast Market"], ["Unusual Size", "Burst"]])),
                "revision": 1,
            }
            first.append(fields)
        else:
            fields = draw(st.sampled_from(first))
        if kind == "retracted":
            messages.append(Retraction(fields["trade_id"], at(clock_s)))
            continue
        if kind == "grown":
            fields["revision"] += 1
        severity = draw(st.sampled_from(["info", "low", "medium", "high", "critical"]))
        score = draw(st.sampled_from([0.5, 0.6, 0.9]))
        messages.append(seen(**fields, clock=clock_s, severity=severity, score=score))
    return messages


def take(decider: Decider, message: Message) -> list[Alert]:
    if isinstance(message, Seen):
        return decider.anomaly(message)
    if isinstance(message, Retraction):
        return decider.retraction("NVDA", message.trade_id, message.clock_ns)
    return decider.correction(message)


def decided(messages: Sequence[Message], decider: Decider | None = None) -> list[Alert]:
    """Return all revisions of a tape that ends."""
    decider = decider or Decider(RULES)
    return [alert for message in messages for alert in take(decider, message)] + decider.clock(NEVER_NS)


def by_id(alerts: Sequence[Alert]) -> dict[str, list[Alert]]:
    """Return each alert's revisions in their order; between alerts the order may differ."""
    found: dict[str, list[Alert]] = {}
    for alert in alerts:
        found.setdefault(alert.alert_id, []).append(alert)
    return found


def clock_of(message: Message) -> int:
    assert not isinstance(message, Correction)
    return message.clock_ns


def restarted(decider: Decider) -> Decider:
    other = Decider(RULES)
    other.restore("NVDA", decider.save("NVDA"))
    assert other.save("NVDA") == decider.save("NVDA")
    return other


@settings(deadline=None, max_examples=40)
@given(tapes(), st.data())
def test_restarts_and_moments_of_the_clock_change_nothing(tape: list[Message], data: st.DataObject) -> None:
    decider = Decider(RULES)
    found: list[Alert] = []
    for message in tape:
        for _ in range(data.draw(st.integers(0, 2))):
            back_ns = data.draw(st.sampled_from([0, 1, at(1) - at(0), at(60) - at(0), at(100) - at(0)]))
            found += decider.clock(clock_of(message) - back_ns)
        if data.draw(st.booleans()):
            decider = restarted(decider)
        found += take(decider, message)
    found += decider.clock(NEVER_NS)
    assert by_id(found) == by_id(decided(tape))


@settings(deadline=None, max_examples=40)
@given(tapes(), st.data())
def test_little_memory_does_not_make_decisions_depend_on_restarts(
    tape: list[Message], data: st.DataObject
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, most in (
            ("MOST_OVER", 3),
            ("MOST_MEMBERS", 2),
            ("MOST_MEMBERS_OVER", 4),
            ("MOST_DETAILS", 1),
            ("REMEMBERED_NS", at(100) - at(0)),
        ):
            patch.setattr(state, name, most)
        test_restarts_and_moments_of_the_clock_change_nothing.hypothesis.inner_test(tape, data)  # type: ignore[attr-defined]


@settings(deadline=None, max_examples=40)
@given(tapes(), st.data())
def test_what_is_read_again_from_a_saved_state_is_decided_the_same(
    tape: list[Message], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(tape)))
    decider = Decider(RULES)
    for message in tape[:cut]:
        take(decider, message)
    again = restarted(decider)
    assert decided(tape[cut:], decider) == decided(tape[cut:], again)


@settings(deadline=None, max_examples=40)
@given(tapes(with_retractions=False), st.data())
def test_messages_that_come_twice_are_told_once(tape: list[Message], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(tape)))
    assert by_id(decided([*tape[:cut], *tape])) == by_id(decided(tape))


@settings(deadline=None, max_examples=40)
@given(tapes())
def test_revisions_have_no_gap_and_end_with_the_end_of_the_alert(tape: list[Message]) -> None:
    for revisions in by_id(decided(tape)).values():
        assert [alert.revision for alert in revisions] == [*range(1, len(revisions) + 1)]
        assert revisions[0].state is AlertState.OPENED
        assert revisions[-1].state in (AlertState.CLOSED, AlertState.WITHDRAWN)
        assert len({alert.timestamp for alert in revisions}) == 1


@settings(deadline=None, max_examples=40)
@given(tapes(with_retractions=False))
def test_a_revision_says_what_its_anomalies_say(tape: list[Message]) -> None:
    ranks = {name: number for number, name in enumerate(Severity)}
    anomalies: dict[str, list[Seen]] = {}
    for message in tape:
        assert isinstance(message, Seen)
        anomalies.setdefault(message.trade_id, []).append(message)
    for alert in decided(tape):
        assert alert.count == len(alert.anomalies) == len(set(alert.anomalies))
        known = [one for trade_id in alert.anomalies for one in anomalies[trade_id]]
        assert alert.worst.trade.trade_id in alert.anomalies
        assert alert.message.startswith(f"{known[0].message.split()[0]}") or len(known) > 1
        assert max(ranks[one.severity] for one in known) >= ranks[alert.severity]
        assert {label for one in known for label in one.labels} >= set(alert.labels)


@settings(deadline=None, max_examples=40)
@given(tapes(with_retractions=False))
def test_after_a_reset_the_same_alerts_are_found_with_later_revisions(tape: list[Message]) -> None:
    decider = Decider(RULES)
    first = by_id([alert for message in tape for alert in take(decider, message)])
    ns = max(clock_of(message) for message in tape)
    trades = list(dict.fromkeys(message.trade_id for message in tape if isinstance(message, Seen)))
    gone = by_id([alert for trade in trades for alert in decider.retraction("NVDA", trade, ns)])
    assert all(revisions[-1].state is AlertState.WITHDRAWN for revisions in gone.values())
    assert gone.keys() == first.keys()
    again = by_id(decided(tape, decider))
    fresh = by_id(decided(tape))
    assert again.keys() == fresh.keys()
    for alert_id, revisions in again.items():
        before = gone[alert_id][-1].revision
        assert [replaced(alert, alert.revision - before) for alert in revisions] == fresh[alert_id]


def replaced(alert: Alert, revision: int) -> Alert:
    return msgspec.structs.replace(alert, revision=revision)


@settings(deadline=None, max_examples=40)
@given(tapes(with_retractions=False), st.data())
def test_corrections_add_as_many_revisions_whenever_they_come(
    tape: list[Message], data: st.DataObject
) -> None:
    trades = sorted({message.trade_id for message in tape if isinstance(message, Seen)} | {"unknown"})
    numbers = range(data.draw(st.integers(1, 4)))
    some = [correction(data.draw(st.sampled_from(trades)), number) for number in numbers]
    places = [data.draw(st.integers(0, len(tape))) for _ in some]
    mixed = list(tape)
    for place, one in sorted(zip(places, some, strict=True), key=lambda pair: -pair[0]):
        mixed.insert(place, one)
    found, after = by_id(decided(mixed)), by_id(decided([*some, *tape]))
    assert {key: len(value) for key, value in found.items()} == {
        key: len(value) for key, value in after.items()
    }
    for alert_id, revisions in found.items():
        assert set(revisions[-1].cancelled) == set(after[alert_id][-1].cancelled)
        plain = by_id(decided(tape))[alert_id]
        told = sum(one.trade_id in plain[-1].anomalies for one in some)
        assert len(revisions) == len(plain) + told


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(0, 200), min_size=1, max_size=40))
def test_alerts_of_a_tape_in_order_are_its_stretches_without_a_longer_pause(gaps_s: list[float]) -> None:
    times = [sum(gaps_s[: n + 1]) for n in range(len(gaps_s))]
    tape: list[Message] = [
        seen(second, f"t{n}", clock=times[n - 1] if n else 0) for n, second in enumerate(times)
    ]
    counts = [1]
    for before, after in pairwise(map(at, times)):
        if after - before <= at(60) - at(0):
            counts[-1] += 1
        else:
            counts.append(1)
    ends = [alert for alert in decided(tape, Decider(rules())) if alert.state is AlertState.CLOSED]
    assert [alert.count for alert in ends] == counts


def test_the_state_of_a_symbol_is_bounded() -> None:
    decider = Decider(rules(rule(quiet_s=1.0)))
    sizes = []
    for n in range(4_000):
        decider.anomaly(seen(5 * n, f"trade-of-some-length-{n}"))
        decider.correction(correction(f"other-{n}", n))
        if n % 500 == 499:
            sizes.append(len(decider.save("NVDA")))
    assert sizes[-1] < 500_000
    assert sizes[-1] < 1.05 * sizes[-3]


def test_an_alert_with_very_many_anomalies_is_bounded_and_counts_all() -> None:
    decider = Decider(rules())
    for n in range(5_000):
        decider.anomaly(seen(n / 10, f"t{n}"))
    assert len(decider.save("NVDA")) < 100_000
    [closed] = decider.clock(NEVER_NS)
    assert closed.count == 5_000
    assert closed.anomalies == [f"t{n}" for n in range(4_950, 5_000)]


def test_alerts_are_forgotten_three_days_of_tape_after_their_last_trade() -> None:
    decider = Decider(rules())
    decider.anomaly(seen(0, "a"))
    decider.anomaly(seen(3 * 86_400 - 1, "b"))
    assert [alert.revision for alert in decider.retraction("NVDA", "a")] == [3]
    decider.anomaly(seen(3 * 86_400 + 1, "c"))
    assert decider.retraction("NVDA", "a") == []
    assert [alert.revision for alert in decider.anomaly(seen(0, "a"))][-1:] == [1]
