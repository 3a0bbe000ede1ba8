import random

from hypothesis import given
from hypothesis import strategies as st

from dashboard.pages.overview.incidents import MIN_SYMBOLS, WITHIN_NS, Sighting, find_incidents
from services.contracts.anomaly import Severity

RANKS = list(Severity)
SECOND = 1_000_000_000


def seen(at_s: float, symbol: str, severity: str = "low", trade_id: str = "") -> Sighting:
    return Sighting(round(at_s * SECOND), trade_id or f"{symbol}-{at_s}", symbol, severity)


@st.composite
def sightings(draw: st.DrawFn) -> list[Sighting]:
    times = draw(st.lists(st.integers(0, 8 * SECOND), max_size=40))
    return [
        Sighting(at, f"t{n}", draw(st.sampled_from("ABCDEF")), str(draw(st.sampled_from(RANKS))))
        for n, at in enumerate(times)
    ]


@given(sightings(), st.randoms(use_true_random=False))
def test_the_order_in_which_anomalies_come_makes_no_difference(
    found: list[Sighting], chance: random.Random
) -> None:
    other = list(found)
    chance.shuffle(other)
    assert find_incidents(other) == find_incidents(found)


@given(sightings())
def test_an_incident_is_what_a_plain_recount_of_its_moment_has(found: list[Sighting]) -> None:
    incidents = find_incidents(found)
    for one in incidents:
        assert one.last_ns - one.first_ns <= WITHIN_NS
        inside = [each for each in found if one.first_ns <= each.at_ns <= one.last_ns]
        assert set(one.symbols) <= {each.symbol for each in inside}
        assert len(set(one.symbols)) == len(one.symbols) >= MIN_SYMBOLS
        assert RANKS.index(Severity(one.worst)) <= max(RANKS.index(Severity(e.severity)) for e in inside)
    assert sum(one.anomalies for one in incidents) <= len(found)


@given(sightings())
def test_no_moment_of_several_symbols_is_missed(found: list[Sighting]) -> None:
    taken = [(one.first_ns, one.last_ns) for one in find_incidents(found)]
    for first in found:
        moment = [each for each in found if 0 <= each.at_ns - first.at_ns <= WITHIN_NS]
        if len({each.symbol for each in moment}) >= MIN_SYMBOLS:
            assert any(start <= each.at_ns <= end for each in moment for start, end in taken)


def test_three_symbols_within_a_second_are_one_incident_with_the_worst_severity() -> None:
    (incident,) = find_incidents(
        [seen(5, "A"), seen(5.4, "B", "high"), seen(6.0, "C"), seen(6.0, "A"), seen(7.2, "D", "critical")]
    )
    assert incident.symbols == ("A", "B", "C")
    assert (incident.anomalies, incident.worst) == (4, "high")
    assert (incident.first_ns, incident.last_ns) == (5 * SECOND, 6 * SECOND)


def test_many_anomalies_of_two_symbols_or_three_in_more_than_a_second_are_none() -> None:
    assert find_incidents([seen(n / 10, "AB"[n % 2]) for n in range(50)]) == []
    assert find_incidents([seen(0, "A"), seen(0.9, "B"), seen(1.1, "C")]) == []


def test_the_worst_incident_comes_first_then_the_one_of_more_symbols() -> None:
    three = [seen(0, symbol) for symbol in "ABC"]
    four = [seen(10, symbol) for symbol in "ABCD"]
    urgent = [seen(20, "A", "medium"), seen(20, "B"), seen(20, "C")]
    found = find_incidents([*three, *four, *urgent])
    assert [one.first_ns // SECOND for one in found] == [20, 10, 0]
