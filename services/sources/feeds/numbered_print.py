"""A trade of a venue that numbers each symbol's prints: its id and its message are made alike for all."""

from services.sources.feeds.messages import Print
from services.sources.feeds.trade_text import Times, check_symbol, price_text, size_text, trade_text


def numbered_print(
    times: Times, source: str, symbol: str, number: int, tape_ns: int, price: str, size: str, side: str
) -> Print:
    """Return a print whose `trade_id` is `<source>-<symbol>-<YYYYMMDD, UTC>-<number>`.

    Parameters
    ----------
    times
        Writes the time.
    source, symbol, number
        What names the trade.
    tape_ns
        Its time, in ns since 1970.
    price, size
        As the venue wrote them.
    side
        One of `services.sources.columns.SIDES`, the taker's.

    Raises
    ------
    BadTradeError
        A part cannot be one of a trade.
    """
    time = times.text(tape_ns)
    trade_id = f"{source}-{symbol}-{time[:4]}{time[5:7]}{time[8:10]}-{number}"
    value = trade_text(
        time,
        trade_id,
        check_symbol(symbol),
        price_text(price),
        size_text(size),
        side,
        source,
        f',"sequence":{number}',
    )
    return Print(symbol, trade_id, tape_ns, number, value)
