"""A trade of Massive's stocks, from the fields that the websocket and the history both have.

Its fields are those of the flat files, but that times are whole ms and that it is not said whether it was
corrected later: a live trade cannot know.
"""

from collections.abc import Sequence

import msgspec

from services.sources.conditions import BY_NUMBER, judge
from services.sources.feeds.messages import Print
from services.sources.feeds.trade_text import (
    BadTradeError,
    Times,
    check_symbol,
    conditions_fields,
    price_text,
    size_text,
    trade_text,
)
from services.sources.feeds.zone_days import ZoneDays
from services.sources.massive.trades import DAY_ZONE, TAPES

LEAST_NS = 10**17
"""A time since 1970 is counted in ns from there on, below in ms."""

_TAPE_FIELDS = {int(number): f',"tape":"{letter}"' for number, letter in TAPES.items()}
_MOST_REMEMBERED = 4096


class Prints:
    """Makes prints; what many have in common is written once."""

    def __init__(self) -> None:
        self.times = Times()
        self._days = ZoneDays(DAY_ZONE)
        self._conditions: dict[tuple[int, ...], tuple[str, tuple[str, ...]]] = {}

    def make(
        self,
        symbol: str,
        price: str,
        size: str,
        tape_time: int,
        participant_time: int,
        sequence: int,
        tape: int,
        conditions: tuple[int, ...],
        exchange: int,
        number: str,
        trf: int,
    ) -> Print:
        """Return a print.

        Parameters
        ----------
        symbol
            The ticker.
        price, size
            Decimal text.
        tape_time, participant_time
            In ms or ns since 1970; 0 for one that is not given.
        sequence, tape, conditions, exchange, number, trf
            The venue's: sequence, 1 to 3 for the tapes A to C, conditions, number of the exchange, number of
            the trade there, and of the facility that it was reported to.

        Raises
        ------
        BadTradeError
            It is not a trade.
        """
        tape_ms = milliseconds(tape_time) or milliseconds(participant_time)
        event_ms = milliseconds(participant_time) or tape_ms
        if tape_ms <= 0 or event_ms <= 0:
            raise BadTradeError("its times are not ms since 1970")
        if sequence < 0:
            raise BadTradeError("its sequence is not a number of 0 or more")
        tape_ns = tape_ms * 1_000_000
        shown = self.times.text(tape_ns)  # raises for what no calendar has
        trade_id = f"massive-{check_symbol(symbol)}-{self._days.text(tape_ns)}-{sequence}"
        late = "" if event_ms == tape_ms else f',"tape_time":"{shown}"'
        if not number.isalnum():
            number = msgspec.json.encode(number)[1:-1].decode()
        value = trade_text(
            self.times.text(event_ms * 1_000_000),
            trade_id,
            symbol,
            price_text(price),
            size_text(size),
            "N",
            "massive",
            f',"sequence":{sequence}{_TAPE_FIELDS.get(tape, "")}{self._judged(conditions)[0]}{late}'
            f',"extra":{{"exchange":"{exchange}","id":"{number}","trf_id":"{trf}"}}',
        )
        return Print(symbol, trade_id, tape_ns, 0, value)

    def unknown(self, conditions: tuple[int, ...]) -> Sequence[str]:
        """Return those of conditions that are not in the table."""
        return self._judged(conditions)[1]

    def _judged(self, conditions: tuple[int, ...]) -> tuple[str, tuple[str, ...]]:
        found = self._conditions.get(conditions)
        if found is None:
            raw = [str(one) for one in conditions]
            judged = judge(raw, BY_NUMBER)
            if len(self._conditions) >= _MOST_REMEMBERED:
                self._conditions.clear()
            found = self._conditions[conditions] = (conditions_fields(judged, raw), judged.unknown)
        return found


def milliseconds(time: int) -> int:
    """Return a time in ms since 1970 that is given in ms or in ns."""
    return time // 1_000_000 if time >= LEAST_NS else time
