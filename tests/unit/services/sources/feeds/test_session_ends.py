import asyncio
from collections.abc import Sequence

import pytest

from services.common.errors import TapewatchError
from services.sources.feeds.handoff import MOST_PRINTS
from services.sources.feeds.keeper import Keeper, Shared
from services.sources.feeds.messages import Frame, Print, Refusal
from services.sources.feeds.place import Place
from services.sources.feeds.session import Session
from services.sources.feeds.timed_keeper import ReplayKeeper
from services.sources.feeds.venue import Connection, ConnectionLostError, Venue
from services.sources.feeds.waits import Waits


class OneFrame:
    """A connection with one frame."""

    def __init__(self) -> None:
        self._frames = [b"prints, then an error"]

    async def send(self, text: str) -> None:
        pass

    async def receive(self) -> bytes:
        if not self._frames:
            raise ConnectionLostError("over")
        return self._frames.pop()

    async def close(self) -> None:
        pass


class Refusing(Venue):
    """A venue whose frame has prints and a refusal behind them."""

    name = "refusing"
    heartbeat_s = 1.0

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        super().__init__(["A"], None, None)
        self._refusals = list(refusals)
        self.connections = 0

    def keeper(self, symbol: str, shared: Shared, place: Place | None) -> Keeper:
        return ReplayKeeper(symbol, shared, place, 1.0)

    async def connect(self) -> Connection:
        self.connections += 1
        return OneFrame()

    def decode(self, raw: bytes) -> Frame:
        number = self.connections
        prints = [Print("A", f"id-{number}", number, 0, b"{}")]
        return Frame(prints, [self._refusals.pop(0)])


def test_prints_before_a_refusal_are_handed_over() -> None:
    """Their keepers know them as published, so nobody would ask for them again."""
    venue = Refusing([Refusal("an error of its own", None), Refusal("the key is wrong", "Check the key.")])
    session = Session(venue, {}, waits=Waits(0.01, 0.01))
    with pytest.raises(TapewatchError, match="the key is wrong"):
        asyncio.run(session.run())
    assert venue.connections == 2
    batch = session.handoff.rest()
    assert [one.trade_id for one in batch.prints] == ["id-1", "id-2"]
    assert batch.places["A"].time_ns == 2


def test_a_connection_that_nobody_reads_is_not_silent() -> None:
    session = Session(Refusing([]), {})
    session.is_connected, session._connection = True, OneFrame()
    session.handoff.add([Print("A", str(number), number, 0, b"{}") for number in range(MOST_PRINTS)])
    session._watch(1_000.0)
    session.handoff._cut()
    session._watch(1_001.0)
    assert session.handoff._cut().is_empty
