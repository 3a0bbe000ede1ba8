import datetime as dt

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from dashboard.server.silences import split
from services.alerter.silencing.silences import seconds_left
from services.contracts.alert import Silence
from tests.alerts import SILENCE

NOW = dt.datetime(2039, 12, 5, 15, tzinfo=dt.UTC)


def silence(silence_id: str, until_s: int, expired_by: str | None = None) -> Silence:
    """Return one that ends so long after now."""
    until = f"{NOW + dt.timedelta(seconds=until_s):%Y-%m-%dT%H:%M:%SZ}"
    return msgspec.structs.replace(SILENCE, silence_id=silence_id, expires_at=until, expired_by=expired_by)


def left_s(one: Silence) -> float:
    return seconds_left(one, NOW.timestamp())


SILENCES = st.lists(st.builds(silence, st.sampled_from("abcd"), st.integers(-5, 5)))


@given(SILENCES)
def test_each_silence_is_in_force_or_over_by_its_earliest_end(known: list[Silence]) -> None:
    in_force, over = split(known, NOW)
    assert all(left_s(one) > 0 for one in in_force)
    assert all(left_s(one) <= 0 for one in over)
    ids = [one.silence_id for one in [*in_force, *over]]
    assert sorted(ids) == sorted({one.silence_id for one in known})
    for shown in [*in_force, *over]:
        assert left_s(shown) == min(left_s(one) for one in known if one.silence_id == shown.silence_id)
    assert in_force == sorted(in_force, key=left_s)
    assert [left_s(one) for one in over] == sorted(map(left_s, over), reverse=True)


def test_what_was_ended_here_counts_before_it_is_indexed() -> None:
    ended = silence("a", 0, expired_by="Lee")
    assert split([silence("a", 3600), ended], NOW) == ([], [ended])
