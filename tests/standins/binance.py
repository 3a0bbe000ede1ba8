"""Binance's spot market, as far as its trade streams and its old trades by REST go.

python -m tests.standins.binance --tape '{"symbols": ["BTCUSDT"]}'
"""

import asyncio
import json
from collections.abc import Sequence

from aiohttp import WSCloseCode, web

from tests.standins.faults import Fault
from tests.standins.server import Client, StandIn, serve
from tests.standins.tape import TapePrint

MOST_ROWS = 1_000
SHUTDOWN_S = 1.0


class BinanceStandIn(StandIn):
    """See the module."""

    async def greet(self, client: Client) -> None:
        """See `StandIn`; the streams stand in the address, and one that does not exist is silent."""
        query = client.data["request"].query
        client.data["unit_ns"] = 1_000 if query.get("timeUnit", "").upper() == "MICROSECOND" else 1_000_000
        streams = query.get("streams", "").split("/")
        client.symbols |= {symbol for symbol in self.tape.by_symbol if f"{symbol.lower()}@trade" in streams}

    async def receive(self, client: Client, message: str) -> None:
        """See `StandIn`."""
        asked = json.loads(message)
        if asked.get("method") == "SUBSCRIBE":
            for stream in asked["params"]:
                client.symbols |= {stream.partition("@")[0].upper()} & self.tape.by_symbol.keys()
            await self.send(client, json.dumps({"result": None, "id": asked["id"]}))

    def frames(self, client: Client, prints: Sequence[TapePrint]) -> list[str | bytes]:
        """See `StandIn`."""
        unit_ns = client.data["unit_ns"]
        return [
            json.dumps(
                {
                    "stream": f"{one.symbol.lower()}@trade",
                    "data": {
                        "e": "trade",
                        "E": (one.time_ns + 1_500_000) // unit_ns,
                        "s": one.symbol,
                        "t": one.number,
                        "p": one.price,
                        "q": one.size,
                        "T": one.time_ns // unit_ns,
                        "m": not one.is_buy,
                        "M": True,
                    },
                }
            )
            for one in prints
        ]

    async def misbehave(self, client: Client, fault: Fault) -> None:
        """See `StandIn`."""
        if fault.kind == "expiry":
            await client.socket.close(code=WSCloseCode.GOING_AWAY, message=b"24 hours")
        elif fault.kind == "shutdown":
            event = {"e": "serverShutdown", "E": self.tape.now_ns // 1_000_000}
            await self.send(client, json.dumps(event))
            asyncio.get_running_loop().call_later(
                SHUTDOWN_S, lambda: asyncio.ensure_future(client.socket.close(code=WSCloseCode.GOING_AWAY))
            )

    def too_many(self) -> web.Response:
        """See `StandIn`; who asks on is banned for a while."""
        status = 429 if self.requests % 2 else 418
        body = {"code": -1003, "msg": "Too much request weight used; please use WebSocket Streams."}
        return web.json_response(body, status=status, headers={"Retry-After": "1"})

    async def history(self, request: web.Request) -> web.StreamResponse:
        """See `StandIn`."""
        if request.path == "/api/v3/exchangeInfo":
            asked = json.loads(request.query.get("symbols", "[]"))
            if not set(asked) <= self.tape.by_symbol.keys():
                return self._unknown_symbol()
            return web.json_response({"symbols": [{"symbol": symbol} for symbol in asked]})
        if request.path != "/api/v3/historicalTrades":
            return web.Response(status=404)
        symbol = request.query.get("symbol", "")
        if symbol not in self.tape.by_symbol:
            return self._unknown_symbol()
        unit_ns = 1_000 if request.headers.get("X-MBX-TIME-UNIT") == "MICROSECOND" else 1_000_000
        limit = min(int(request.query.get("limit", "500")), MOST_ROWS)
        first = request.query.get("fromId")
        past = self.past(symbol)
        rows = past[-limit:] if first is None else [one for one in past if one.number >= int(first)][:limit]
        return web.json_response(
            [
                {
                    "id": one.number,
                    "price": one.price,
                    "qty": one.size,
                    "quoteQty": f"{float(one.price) * float(one.size):.8f}",
                    "time": one.time_ns // unit_ns,
                    "isBuyerMaker": not one.is_buy,
                    "isBestMatch": True,
                }
                for one in rows
            ]
        )

    @staticmethod
    def _unknown_symbol() -> web.Response:
        return web.json_response({"code": -1121, "msg": "Invalid symbol."}, status=400)


if __name__ == "__main__":
    serve(BinanceStandIn, "/stream")
