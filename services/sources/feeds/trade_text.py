"""Trades of feeds as the JSON of the topic, one by one, from the text that a venue wrote.

Each text is the one that `services.sources.encode` writes for a file with the same trade, so that a trade
has the same bytes however it came.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from services.contracts.trade import LEAST_PRICE, LEAST_SIZE, MAX_INTEGER, MOST_PRICE
from services.sources.columns import PLAIN_TEXT
from services.sources.conditions import Judged

_PLAIN = re.compile(r"-?(?:0|[1-9]\d{0,17})(?:\.(\d{1,18}))?", re.ASCII)
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(?:Z|\+00:00)", re.ASCII)
_SYMBOL = re.compile(PLAIN_TEXT)
_SECOND_CHARS = len("2026-03-02T09:30:00")
_MOST_SECONDS = 4096
"""Seconds of which the text is remembered."""


class BadTradeError(ValueError):
    """A message of a venue that is not a trade; says why."""


def price_text(raw: str) -> str:
    """Return a price as the topic writes it: exact, with at least one digit after the point.

    Raises
    ------
    BadTradeError
        It is not a number, or out of all bounds.
    """
    text = _plain_text(raw)
    if text is None:
        text = _unusual_number_text(raw, "price")
        if not LEAST_PRICE <= abs(float(text)) <= MOST_PRICE and float(text) != 0:
            raise BadTradeError(f"the price is out of all bounds ({raw})")
    return text if "." in text else f"{text}.0"


def size_text(raw: str) -> str:
    """Return a size as the topic writes it: exact, and a whole one without a point.

    Raises
    ------
    BadTradeError
        It is not a number of 0 or more, or out of all bounds.
    """
    text = _plain_text(raw)
    if text is None:
        text = _unusual_number_text(raw, "size")
        if 0 < float(text) < LEAST_SIZE or float(text) > MAX_INTEGER:
            raise BadTradeError(f"the size is out of all bounds ({raw})")
    if text[0] == "-":
        raise BadTradeError(f"the size is negative ({raw})")
    return text


def _plain_text(raw: str) -> str | None:
    """Return the shortest decimal number that is equal, which is within all bounds; None for unusual ones."""
    plain = _PLAIN.fullmatch(raw)
    if plain is None:
        return None
    text = raw if plain[1] is None else raw.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _unusual_number_text(raw: str, what: str) -> str:
    """Read what has an exponent, a plus or needless zeros."""
    try:
        number = Decimal(raw)
    except InvalidOperation:
        raise BadTradeError(f"the {what} is not a number ({raw[:40]!r})") from None
    if not number.is_finite() or not -38 <= number.adjusted() <= 38:
        raise BadTradeError(f"the {what} is out of all bounds ({raw[:40]!r})")
    text = format(number, "f") if number else "0"
    return text.rstrip("0").rstrip(".") if "." in text else text


def check_symbol(symbol: str) -> str:
    """Return a symbol that may stand in JSON as it is.

    Raises
    ------
    BadTradeError
        It may not.
    """
    if _SYMBOL.fullmatch(symbol) is None:
        raise BadTradeError(f"the symbol is not plain text of 1 to 256 characters ({symbol[:40]!r})")
    return symbol


class Times:
    """Times as text and as nanoseconds; those of a second are computed once."""

    def __init__(self) -> None:
        self._seconds: dict[str, int] = {}
        self._texts: dict[int, str] = {}

    def nanos(self, text: str) -> int:
        """Return the nanoseconds since 1970 of an ISO 8601 time in UTC with up to 9 digits.

        Raises
        ------
        BadTradeError
            It is not one.
        """
        seconds = self._seconds.get(text[:_SECOND_CHARS])
        if seconds is not None and text[_SECOND_CHARS : _SECOND_CHARS + 1] == "." and text[-1] == "Z":
            digits = text[_SECOND_CHARS + 1 : -1]
            if len(digits) <= 9 and digits.isascii() and digits.isdigit():
                return seconds * 10**9 + int(digits.ljust(9, "0"))
        parts = _TIME.fullmatch(text)
        if parts is None:
            raise BadTradeError(f"the time is not ISO 8601 in UTC ({text[:40]!r})")
        day, clock, fraction = parts.groups()
        second = f"{day}T{clock}"
        seconds = self._seconds.get(second)
        if seconds is None:
            try:
                seconds = int(datetime.fromisoformat(second).replace(tzinfo=UTC).timestamp())
            except ValueError as error:
                raise BadTradeError(f"no calendar has the time ({error})") from None
            if not 0 <= seconds < MAX_INTEGER // 10**9:
                raise BadTradeError(f"the time is not from 1970 to 2261 ({text[:40]!r})")
            if len(self._seconds) >= _MOST_SECONDS:
                self._seconds.clear()
            self._seconds[second] = seconds
        return seconds * 10**9 + (int(fraction.ljust(9, "0")) if fraction else 0)

    def text(self, nanos: int) -> str:
        """Return a time in nanoseconds since 1970 as the topic writes it.

        Raises
        ------
        BadTradeError
            It is before 1970 or after 2261.
        """
        seconds, rest = divmod(nanos, 10**9)
        text = self._texts.get(seconds)
        if text is None:
            if not 0 <= nanos < MAX_INTEGER:
                raise BadTradeError(f"the time is not from 1970 to 2261 ({nanos} ns)")
            text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.")
            if len(self._texts) >= _MOST_SECONDS:
                self._texts.clear()
            self._texts[seconds] = text
        return f"{text}{rest:09d}Z"


def trade_text(
    time: str, trade_id: str, symbol: str, price: str, size: str, side: str, source: str, rest: str = ""
) -> bytes:
    """Return the topic's message of a trade; all parts are as they stand in JSON.

    Parameters
    ----------
    time, price, size
        As `Times.text`, `price_text` and `size_text` return them.
    trade_id, symbol, side, source
        Plain text.
    rest
        Further fields, each with its comma before it.
    """
    return (
        f'{{"@timestamp":"{time}","trade_id":"{trade_id}","symbol":"{symbol}","price":{price},"size":{size}'
        f',"side":"{side}","source":"{source}"{rest}}}'
    ).encode()


def texts_field(name: str, texts: Sequence[str]) -> str:
    """Return a field with a list of plain texts, a comma before it; nothing for an empty list."""
    return f',"{name}":["' + '","'.join(texts) + '"]' if texts else ""


def conditions_fields(judged: Judged, raw: Sequence[str]) -> str:
    """Return the fields of a print's sale conditions, each with a comma before it.

    Parameters
    ----------
    judged
        What the conditions come to.
    raw
        As the venue writes them; those that are not plain text are left out.
    """
    shown = [one for one in raw if one.strip() and _SYMBOL.fullmatch(one)]
    eligible = "" if judged.price_eligible else ',"price_eligible":false'
    eligible += "" if judged.anchor_eligible else ',"anchor_eligible":false'
    eligible += "" if judged.volume_eligible else ',"volume_eligible":false'
    return texts_field("conditions", judged.names) + texts_field("conditions_raw", shown) + eligible
