"""Massive's stocks, as far as its websocket with trades and halts and its trades by REST go.

python -m tests.standins.massive --tape '{"symbols": ["AAPL"]}'
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import WSCloseCode, web

from tests.standins.faults import Fault
from tests.standins.server import Client, StandIn, serve
from tests.standins.tape import TapePrint

KEY = "standin-key"
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
        if channel not in ("T", "LULD") or (symbol != "*" and symbol not in self.tape.by_symbol):
            await self._status(client, "error", f"Invalid subscription: {topic}")
            return
        symbols = set(self.tape.by_symbol) if symbol == "*" else {symbol}
        if channel == "T" and action == "subscribe":
            client.symbols |= symbols
        elif channel == "T":
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
        return [
            json.dumps([_live(one) for one in prints[start : start + PRINTS_A_FRAME]])
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
        start, _, symbol = request.path.rpartition("/")
        if start != "/v3/trades":
            return web.json_response({"status": "NOT_FOUND", "error": "no such path"}, status=404)
        query = dict(request.query)
        if "cursor" in query:
            query = json.loads(bytes.fromhex(query["cursor"]))
        first, skipped = int(query.get("timestamp.gte", 0)), int(query.get("skip", 0))
        limit = min(int(query.get("limit", 1_000)), MOST_ROWS, PAGE_ROWS)
        # What history says of a later change comes as a row of its own, behind the trade.
        rows = [
            row
            for one in sorted(self.past(symbol), key=lambda one: one.time_ns)
            for row in _past(one)
            if row["sip_timestamp"] >= first
        ]
        answer: dict[str, Any] = {"status": "OK", "request_id": str(self.requests)}
        answer["results"] = rows[skipped : skipped + limit]
        if len(rows) > skipped + limit:
            cursor = json.dumps({**query, "skip": skipped + limit}).encode().hex()
            # The venue's own address, which is not where the question went.
            answer["next_url"] = f"https://api.massive.com/v3/trades/{symbol}?cursor={cursor}"
        return web.json_response(answer)


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
