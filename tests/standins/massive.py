"""Massive's stocks, as far as its websocket goes with trades, halts and bars of minutes, and REST with trades
and bars. A bar is what the tape calls a print: its number is that of its minute.

python -m tests.standins.massive --tape '{"symbols": ["AAPL"]}'
"""

import asyncio
import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import WSCloseCode, web

from tests.standins.faults import Fault
from tests.standins.server import Client, StandIn, serve
from tests.standins.tape import TapePrint

KEY = "standin-key"
NEW_YORK = ZoneInfo("America/New_York")
CHANNELS = ("T", "LULD", "AM")
MINUTE_MS = 60_000
BARS_AGO_MS = 90 * 86_400_000
"""So long before the tape the minute with the number 0 began."""

MOST_ROWS = 50_000
PAGE_ROWS = 500
"""An answer has no more, so that pages break inside ties."""

PRINTS_A_FRAME = 50
AUTH_S = 10.0
SLOW_S = 2.0
CONDITIONS: tuple[list[int], ...] = ([], [], [14], [37], [14, 37, 41], [12, 37], [2], [53], [14, 999])
CHANGED_EACH = 97
"""Each so many prints one was cancelled, marked as erroneous or corrected later."""


@dataclass(frozen=True)
class Listed:
    """What a print has beside what the tape says; the same whoever asks."""

    exchange: int
    trf: int
    conditions: list[int]
    participant_ns: int
    size: str
    correction: int


def listed(one: TapePrint) -> Listed:
    """Return what a print has beside what the tape says."""
    exchange = 4 if one.number % 5 == 0 else 1 + one.number % 19
    changed = (1, 7, 8)[one.number // CHANGED_EACH % 3] if one.number % CHANGED_EACH == 0 else 0
    is_whole = one.number % 3 != 0
    return Listed(
        exchange,
        201 if exchange == 4 else 0,
        CONDITIONS[one.number % len(CONDITIONS)],
        one.time_ns - one.number % 4 * 3_210_987,
        str(int(float(one.size) * 100) + 1) if is_whole else one.size,
        changed,
    )


class MassiveStandIn(StandIn):
    """See the module."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._occupied_until_s = 0.0

    async def greet(self, client: Client) -> None:
        """See `StandIn`."""
        client.data["subscribed"] = set()
        await self._status(client, "connected", "Connected Successfully")

        async def end_strangers() -> None:
            await asyncio.sleep(AUTH_S)
            if not client.data.get("has_key") and not client.socket.closed:
                await self._status(client, "auth_timeout", "Authentication timed out")
                await client.socket.close()

        client.data["timeout"] = asyncio.create_task(end_strangers())

    async def receive(self, client: Client, message: str) -> None:
        """See `StandIn`."""
        try:
            asked = json.loads(message)
            action, params = asked["action"], asked["params"]
        except (ValueError, KeyError, TypeError):
            await self._status(client, "error", "Invalid request")
            return
        if action == "auth":
            await self._log_in(client, params)
        elif not client.data.get("has_key"):
            await self._status(client, "auth_required", "Authentication is required")
        elif action in ("subscribe", "unsubscribe"):
            for topic in params.split(","):
                await self._subscribe(client, action, topic.strip())
        else:
            await self._status(client, "error", f"Unknown action: {action}")

    async def _log_in(self, client: Client, key: str) -> None:
        if key != KEY:
            await self._status(client, "auth_failed", "authentication failed")
            await client.socket.close()
            return
        others = [one for one in self.clients if one is not client and one.data.get("has_key")]
        if others or asyncio.get_running_loop().time() < self._occupied_until_s:
            await self._status(client, "max_connections", "Maximum number of connections exceeded.")
            await client.socket.close()
            return
        client.data["has_key"] = True
        await self._status(client, "auth_success", "authenticated")

    async def _subscribe(self, client: Client, action: str, topic: str) -> None:
        channel, _, symbol = topic.partition(".")
        if channel not in CHANNELS or (symbol != "*" and symbol not in self.tape.by_symbol):
            await self._status(client, "error", f"Invalid subscription: {topic}")
            return
        symbols = set(self.tape.by_symbol) if symbol == "*" else {symbol}
        if channel != "LULD" and action == "subscribe":
            client.symbols |= symbols
            client.data["channel"] = channel
        elif channel != "LULD":
            client.symbols -= symbols
        await self._status(client, "success", f"{action}d to: {topic}")

    async def _status(self, client: Client, status: str, message: str) -> None:
        await self.send(client, json.dumps([{"ev": "status", "status": status, "message": message}]))

    def frames(self, client: Client, prints: Sequence[TapePrint]) -> list[str | bytes]:
        """See `StandIn`."""
        held: list[TapePrint] | None = client.data.get("held")
        if held is not None:  # its reader is too slow
            held += prints
            return []
        live = self._live_bar if client.data.get("channel") == "AM" else _live
        return [
            json.dumps([live(one) for one in prints[start : start + PRINTS_A_FRAME]])
            for start in range(0, len(prints), PRINTS_A_FRAME)
        ]

    async def misbehave(self, client: Client, fault: Fault) -> None:
        """See `StandIn`."""
        loop = asyncio.get_running_loop()
        if fault.kind == "occupied":
            self._occupied_until_s = loop.time() + fault.amount
            await client.socket.close(code=WSCloseCode.OK)
        elif fault.kind == "slow_reader":
            client.data["held"] = []

            async def cut() -> None:
                await asyncio.sleep(fault.amount)
                await self._status(client, "slow_consumer", "Slow consumer: the connection will be closed.")
                await client.socket.close(code=WSCloseCode.POLICY_VIOLATION)

            client.data["cut"] = loop.create_task(cut())

    async def history(self, request: web.Request) -> web.StreamResponse:
        """See `StandIn`; a page's successor is named by a cursor."""
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            error = {"status": "ERROR", "request_id": "1", "error": "Unknown API Key"}
            return web.json_response(error, status=401)
        query = dict(request.query)
        if "cursor" in query:
            query = json.loads(bytes.fromhex(query["cursor"]))
        match request.path.split("/")[1:]:
            case ["v3", "trades", symbol]:
                rows = self._past_trades(symbol, int(query.get("timestamp.gte", 0)))
            case ["v2", "aggs", "ticker", symbol, "range", "1", "minute", first, last]:
                rows = self._past_minutes(symbol, int(first), int(last))
            case ["v2", "aggs", "ticker", symbol, "range", "1", "day", first, last]:
                rows = self._past_days(symbol, dt.date.fromisoformat(first), dt.date.fromisoformat(last))
            case _:
                return web.json_response({"status": "NOT_FOUND", "error": "no such path"}, status=404)
        skipped = int(query.get("skip", 0))
        limit = min(int(query.get("limit", 1_000)), MOST_ROWS, PAGE_ROWS)
        answer: dict[str, Any] = {"status": "OK", "request_id": str(self.requests), "ticker": symbol}
        answer["results"] = rows[skipped : skipped + limit]
        if len(rows) > skipped + limit:
            cursor = json.dumps({**query, "skip": skipped + limit}).encode().hex()
            # The venue's own address, which is not where the question went.
            answer["next_url"] = f"https://api.massive.com{request.path}?cursor={cursor}"
        return web.json_response(answer)

    def _past_trades(self, symbol: str, since_ns: int) -> list[dict[str, Any]]:
        # What history says of a later change comes as a row of its own, behind the trade.
        return [
            row
            for one in sorted(self.past(symbol), key=lambda one: one.time_ns)
            for row in _past(one)
            if row["sip_timestamp"] >= since_ns
        ]

    def _past_minutes(self, symbol: str, first_ms: int, last_ms: int) -> list[dict[str, Any]]:
        return [
            {**_prices(one), "v": float(one.size), "t": self._minute_ms(one), "n": 7}
            for one in self.past(symbol)
            if first_ms <= self._minute_ms(one) <= last_ms
        ]

    def _past_days(self, symbol: str, first: dt.date, last: dt.date) -> list[dict[str, Any]]:
        """Return a bar for each day that is not at a weekend, the same whoever asks."""
        if symbol not in self.tape.by_symbol:
            return []
        days = [first + dt.timedelta(days=number) for number in range((last - first).days + 1)]
        return [_day_bar(day) for day in days if day.weekday() < 5]

    def _minute_ms(self, one: TapePrint) -> int:
        first = self.tape.start_ns // 1_000_000 - BARS_AGO_MS
        return (first // MINUTE_MS + one.number) * MINUTE_MS

    def _live_bar(self, one: TapePrint) -> dict[str, Any]:
        start_ms = self._minute_ms(one)
        volume = {"v": int(float(one.size)), "dv": one.size, "av": 10**6, "dav": "1000000.0"}
        rest = {
            "op": 1.0,
            "vw": float(one.price),
            "a": 1.0,
            "z": 50,
            "s": start_ms,
            "e": start_ms + MINUTE_MS,
        }
        return {"ev": "AM", "sym": one.symbol, **volume, **_prices(one), **rest}

    def ids(self) -> dict[str, int]:
        """See `StandIn`; those of the bars."""
        return {
            f"massive-minute-{one.symbol}-{(self._minute_ms(one) + MINUTE_MS) * 1_000_000}": one.number
            for one in self.tape.prints
        }


def _day_bar(day: dt.date) -> dict[str, float]:
    number = day.toordinal()
    midnight_ms = int(dt.datetime.combine(day, dt.time(), NEW_YORK).timestamp()) * 1_000
    return {**dict.fromkeys("ohlc", 100.0 + number % 50), "v": 1e6 + number, "t": midnight_ms}


def _prices(one: TapePrint) -> dict[str, float]:
    price = float(one.price)
    return {"o": price - 0.25, "h": price + 0.5, "l": price - 0.5, "c": price}


def _live(one: TapePrint) -> dict[str, Any]:
    its = listed(one)
    is_whole = "." not in its.size
    return {
        "ev": "T",
        "sym": one.symbol,
        "x": its.exchange,
        "i": str(one.number * 7),
        "z": 3,
        "p": float(one.price),
        "s": int(its.size) if is_whole else int(float(its.size)),
        **({} if is_whole else {"ds": its.size}),
        **({"c": its.conditions} if its.conditions else {}),
        "t": one.time_ns // 1_000_000,
        "pt": its.participant_ns // 1_000_000,
        "q": one.number,
        **({"trfi": its.trf, "trft": one.time_ns // 1_000_000} if its.trf else {}),
    }


def _past(one: TapePrint) -> list[dict[str, Any]]:
    its = listed(one)
    row = {
        **({"conditions": its.conditions} if its.conditions else {}),
        **({"correction": its.correction} if its.correction else {}),
        "exchange": its.exchange,
        "id": str(one.number * 7),
        "participant_timestamp": its.participant_ns,
        "price": float(one.price),
        "sequence_number": one.number,
        "sip_timestamp": one.time_ns,
        "size": float(its.size),
        "decimal_size": its.size,
        "tape": 3,
        **({"trf_id": its.trf, "trf_timestamp": one.time_ns} if its.trf else {}),
    }
    if not its.correction:
        return [row]
    kind = {1: 12, 7: 11, 8: 10}[its.correction]
    record = row | {"correction": kind, "sip_timestamp": one.time_ns + 5_000_000}
    return [row, record | {"sequence_number": 10_000_000 + one.number}]


if __name__ == "__main__":
    serve(MassiveStandIn, "/stocks")
