import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.indexer.sinks.base import RejectedRecordError
from services.indexer.sinks.postgres.times import NS, Moment, moment_of, ns_of

SECONDS = st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2261, 12, 31)).map(
    lambda at: at.replace(microsecond=0)
)


@given(SECONDS, st.text("0123456789", max_size=9))
def test_a_time_keeps_all_its_digits(second: dt.datetime, digits: str) -> None:
    text = f"{second.isoformat()}{'.' if digits else ''}{digits}Z"
    since = second.replace(tzinfo=dt.UTC) - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    moment = moment_of("@timestamp", text)
    assert moment.ns == since // dt.timedelta(seconds=1) * NS + int(digits.ljust(9, "0"))
    assert moment.day == text[:10]
    cut = dt.datetime.fromisoformat(moment.time)
    assert cut == dt.datetime.fromisoformat(text[:26].removesuffix("Z") + "+00:00")


def test_the_last_nanosecond_of_a_day_stays_in_it() -> None:
    found = moment_of("@timestamp", "2024-12-02T23:59:59.999999999Z")
    assert found == Moment("2024-12-02", "2024-12-02T23:59:59.999999Z", 1_733_183_999_999_999_999)


@pytest.mark.parametrize(
    "text",
    [
        *("", "2024-12-02", "2024-12-02T14:30:01", "2024-12-02T14:30:01.Z"),
        *("2024-12-02T14:30:01.0000000001Z", "2024-12-02T14:30:01.00000000७Z"),
        *("2024-12-02 14:30:01.000000007Z", "2024-12-02T24:30:01.000000007Z"),
        *("2024-02-30T14:30:01.000000007Z", "1969-12-31T23:59:59.000000007Z", "2262-01-01T00:00:00Z"),
        *("2024-12-02T14:30:01.0_0000007Z", "2024-12-02T14:30:01.00000007ZZ"),
    ],
)  # fmt: skip
def test_what_is_no_time_is_rejected(text: str) -> None:
    with pytest.raises(RejectedRecordError):
        ns_of("@timestamp", text)
