import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.kafka.connection import KafkaConnection
from services.contracts.trade import decode_trade
from services.producer import reconcile
from services.producer.reconcile import Comparison
from services.sources.feeds.messages import Print
from tests.stops import AskedFor


def value(trade_id: str, price: str = "100.5", size: str = "5", side: str = "N") -> bytes:
    return (
        f'{{"@timestamp":"2026-04-06T14:30:00Z","trade_id":"{trade_id}","symbol":"A","price":{price}'
        f',"size":{size},"side":"{side}"}}'
    ).encode()


def of_venue(trade_id: str, **values: str) -> Print:
    return Print("A", trade_id, 1, 0, value(trade_id, **values))


def comparison(*trade_ids: str, **values: str) -> Comparison:
    made = Comparison("A")
    for trade_id in trade_ids:
        made.add_published(decode_trade(value(trade_id, **values)))
    return made


@given(published=st.sets(st.integers(0, 20)), record=st.lists(st.integers(0, 20)))
def test_every_print_is_missing_once_or_known_or_unknown(published: set[int], record: list[int]) -> None:
    compared = comparison(*map(str, published))
    missing = [number for number in record if compared.is_missing(of_venue(str(number)))]
    compared.finish()
    report = compared.report
    assert sorted(missing) == sorted(set(record) - published)
    assert report.missing == len(missing)
    assert report.of_venue == len(set(record))
    assert report.published == len(published)
    assert report.unknown == sorted(map(str, published - set(record)))
    assert report.different == []


@pytest.mark.parametrize(
    ("changed", "differs"),
    [
        ({"price": "100.50"}, False),
        ({"size": "5.0"}, False),
        ({"price": "100.51"}, True),
        ({"size": "5.25"}, True),
        ({"side": "B"}, True),
    ],
)
def test_a_print_differs_by_what_it_says_not_by_how_it_is_written(
    changed: dict[str, str], differs: bool
) -> None:
    compared = comparison("1")
    assert not compared.is_missing(of_venue("1", **changed))
    assert compared.report.different == (["1"] if differs else [])


def test_prices_of_minus_one_and_minus_two_differ() -> None:
    compared = comparison("1", price="-1.0")
    assert not compared.is_missing(of_venue("1", price="-2.0"))
    assert compared.report.different == ["1"]


class Transactions:
    """Keeps what would be published, a list for each transaction."""

    committed: list[list[bytes]]

    def __init__(self, *_: object) -> None:
        Transactions.committed = []
        self.producer = self
        self._open: list[bytes] = []

    def begin(self) -> None:
        self._open = []

    def produce(self, topic: str, key: bytes, value: bytes) -> None:
        self._open.append(value)

    def commit(self) -> None:
        Transactions.committed.append(self._open)


def test_what_is_missing_is_published_in_full_transactions_and_the_rest_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reconcile, "AT_ONCE", 3)
    monkeypatch.setattr(reconcile, "Transactions", Transactions)
    publisher = reconcile.MissingPublisher(KafkaConnection("127.0.0.1:1"), "x", AskedFor())
    prints = [of_venue(str(number)) for number in range(7)]
    for one in prints:
        publisher.trade(one)
    assert [len(part) for part in Transactions.committed] == [3, 3]
    publisher.flush()
    publisher.flush()
    assert [len(part) for part in Transactions.committed] == [3, 3, 1]
    assert [one for part in Transactions.committed for one in part] == [
        reconcile.reconciled(one.value) for one in prints
    ]
