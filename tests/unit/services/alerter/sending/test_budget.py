from hypothesis import given
from hypothesis import strategies as st

from services.alerter.sending.budget import HOUR_S, Budget


@given(st.integers(1, 5), st.lists(st.floats(0.0, 2_000.0), max_size=60))
def test_no_hour_has_more_messages_than_the_budget(per_hour: int, gaps_s: list[float]) -> None:
    budget = Budget(per_hour)
    now_s = 0.0
    spent_s: list[float] = []
    for gap_s in gaps_s:
        now_s += gap_s
        has_room = budget.has_room(now_s)
        assert has_room == (sum(at_s > now_s - HOUR_S for at_s in spent_s) < per_hour)
        if has_room:
            budget.spend(now_s)
            spent_s.append(now_s)
    for at_s in spent_s:
        assert sum(at_s - HOUR_S < each <= at_s for each in spent_s) <= per_hour


def test_without_a_budget_there_is_always_room() -> None:
    budget = Budget(None)
    for number in range(1_000):
        assert budget.has_room(float(number))
        budget.spend(float(number))
