"""Decodes many messages at once, as `decode_trade` does each of them."""

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import msgspec
import numpy as np

from services.contracts.trade import LEAST_PRICE, LEAST_SIZE, MOST_PRICE, NotATradeError, Trade, decode_trade
from services.detector.engine.texts import NO_TIME, parse_times

_T = TypeVar("_T")

_decode = msgspec.json.Decoder(Trade).decode


class Decoded(NamedTuple):
    """Messages, decoded."""

    trades: list[Trade]
    """Those that are trades."""
    rejected: dict[int, str]
    """The places of the others, and what is wrong with each."""

    def kept(self, messages: list[_T]) -> list[_T]:
        """Return what belongs to the trades, of what belongs to all messages."""
        if not self.rejected:
            return messages
        return [message for at, message in enumerate(messages) if at not in self.rejected]


def decode_trades(values: Sequence[bytes | None]) -> Decoded:
    """Decode messages: together, and if something is wrong with one of them, each by itself."""
    trades = _all_right(values)
    if trades is not None:
        return Decoded(trades, {})
    trades, rejected = [], {}
    for at, value in enumerate(values):
        try:
            trades.append(decode_trade(value))
        except NotATradeError as error:
            rejected[at] = str(error)
    return Decoded(trades, rejected)


def _all_right(values: Sequence[bytes | None]) -> list[Trade] | None:
    """Return the trades; None unless all messages are trades."""
    try:
        trades = [_decode(value or b"") for value in values]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    prices = np.abs(np.array([trade.price for trade in trades], np.float64))
    sizes = np.array([trade.size for trade in trades], np.float64)
    are_right = (
        np.all((prices == 0) | ((prices >= LEAST_PRICE) & (prices <= MOST_PRICE)))
        and np.all((sizes == 0) | (sizes >= LEAST_SIZE))
        and all(trade.trade_id and trade.symbol for trade in trades)
        and not np.any(parse_times(_times(trades)) == NO_TIME)
    )
    return trades if are_right else None


def _times(trades: list[Trade]) -> list[str]:
    """Return the times that detection needs."""
    times = [trade.timestamp for trade in trades]
    times += [trade.tape_time for trade in trades if trade.tape_time is not None]
    times += [
        trade.ts_recv
        for trade in trades
        if trade.sequence <= 0 and trade.tape_time is None and trade.ts_recv is not None
    ]
    return times
