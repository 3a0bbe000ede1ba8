from services.sources.feeds.handoff import MOST_PRINTS
from services.sources.feeds.keeper import Keeper, Shared
from services.sources.feeds.messages import Frame, Print
from services.sources.feeds.place import Place
from services.sources.feeds.session import Session
from services.sources.feeds.timed_keeper import ReplayKeeper
from services.sources.feeds.venue import Connection, Venue


class Open:
    """A connection that is open."""

    async def send(self, text: str) -> None:
        raise AssertionError

    async def receive(self) -> bytes:
        raise AssertionError

    async def close(self) -> None:
        raise AssertionError


class Beating(Venue):
    """A venue that promises a heartbeat."""

    name = "beating"
    heartbeat_s = 1.0

    def keeper(self, symbol: str, shared: Shared, place: Place | None) -> Keeper:
        return ReplayKeeper(symbol, shared, place, 1.0)

    async def connect(self) -> Connection:
        return Open()

    def decode(self, raw: bytes) -> Frame:
        return Frame()


def test_a_connection_that_nobody_reads_is_not_silent() -> None:
    """While the publisher waits for Kafka, no record is read."""
    session = Session(Beating(["A"], None, None), {})
    session.is_connected, session._connection = True, Open()
    session.handoff.add([Print("A", str(number), number, 0, b"{}") for number in range(MOST_PRINTS)])
    session._watch(1_000.0)
    session.handoff._cut()
    session._watch(1_001.0)
    assert session.handoff._cut().is_empty
