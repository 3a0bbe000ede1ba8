"""Kraken's websocket v2, as far as its channels `trade`, `heartbeat` and `status` go, and its trades by REST.

python -m tests.standins.kraken --tape '{"symbols": ["BTC/USD"]}'
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from aiohttp import web

from tests.standins.server import Client, StandIn, serve
from tests.standins.tape import TapePrint

MOST_ROWS = 1_000
SNAPSHOT_TRADES = 50


class KrakenStandIn(StandIn):
    """See the module."""

    heartbeat_s = 1.0

    async def greet(self, client: Client) -> None:
        """See `StandIn`."""
        system = {"api_version": "v2", "connection_id": self.sessions, "system": "online", "version": "2.0.9"}
        await self.send(client, json.dumps({"channel": "status", "type": "update", "data": [system]}))

    async def receive(self, client: Client, message: str) -> None:
        """See `StandIn`."""
        asked = json.loads(message)
        times = {"time_in": _iso(self.tape.now_ns), "time_out": _iso(self.tape.now_ns)}
        if asked.get("method") != "subscribe" or asked["params"].get("channel") != "trade":
            refusal = {"error": "Unsupported method", "method": asked.get("method"), "success": False}
            await self.send(client, json.dumps(refusal | times))
            return
        for symbol in asked["params"]["symbol"]:
            if symbol not in self.tape.by_symbol:
                refusal = {
                    "error": f"Currency pair not supported {symbol}",
                    "method": "subscribe",
                    "success": False,
                    "symbol": symbol,
                }
                await self.send(client, json.dumps(refusal | times))
                continue
            result = {"channel": "trade", "snapshot": True, "symbol": symbol}
            accepted = {"method": "subscribe", "result": result, "success": True}
            await self.send(client, json.dumps(accepted | times))
            if asked["params"].get("snapshot", True):
                last = [self._seen(one) for one in self.tape.by_symbol[symbol][-SNAPSHOT_TRADES:]]
                await self.send(client, self._message("snapshot", last))
            client.symbols.add(symbol)

    def frames(self, client: Client, prints: Sequence[TapePrint]) -> list[str | bytes]:
        """See `StandIn`; the trades of one message are those of one order."""
        messages: list[list[TapePrint]] = []
        for one in prints:
            before = messages[-1][-1] if messages else None
            if before is not None and (before.symbol, before.time_ns) == (one.symbol, one.time_ns):
                messages[-1].append(one)
            else:
                messages.append([one])
        return [self._message("update", each) for each in messages]

    def heartbeats(self, client: Client) -> list[str | bytes]:
        """See `StandIn`."""
        return ['{"channel":"heartbeat"}']

    @staticmethod
    def _message(kind: str, prints: Sequence[TapePrint]) -> str:
        # Numbers as the venue writes them, which no float of Python's would keep.
        rows = [
            f'{{"symbol":"{one.symbol}","side":"{"buy" if one.is_buy else "sell"}","price":{one.price},'
            f'"qty":{one.size},"ord_type":"market","trade_id":{one.number},'
            f'"timestamp":"{_iso(one.time_ns)}"}}'
            for one in prints
        ]
        return f'{{"channel":"trade","type":"{kind}","data":[{",".join(rows)}]}}'

    def too_many(self) -> web.Response:
        """See `StandIn`; the venue says it with HTTP's status of success."""
        return web.json_response({"error": ["EAPI:Rate limit exceeded"]})

    async def history(self, request: web.Request) -> web.StreamResponse:
        """See `StandIn`; the trades after a time, in the order of their times."""
        if request.path != "/0/public/Trades":
            return web.json_response({"error": ["EGeneral:Unknown method"]})
        pairs = {symbol.replace("/", ""): symbol for symbol in self.tape.by_symbol}
        symbol = pairs.get(request.query.get("pair", ""))
        if symbol is None:
            return web.json_response({"error": ["EQuery:Unknown asset pair"]})
        limit = min(int(request.query.get("count", MOST_ROWS)), MOST_ROWS)
        past = sorted(self.past(symbol), key=_rest_ns)
        since = request.query.get("since")
        after = [one for one in past if _rest_ns(one) > int(since or 0)]
        rows = after[:limit] if since else past[-limit:]
        listed = ",".join(
            f'["{one.price}000","{one.size}",{_seconds(_rest_ns(one))},"{"b" if one.is_buy else "s"}","m","",'
            f"{one.number}]"
            for one in rows
        )
        last = _rest_ns(rows[-1]) if rows else since or 0
        name = f"X{symbol.replace('BTC', 'XBT').replace('/', 'Z')}"
        body = f'{{"error":[],"result":{{"{name}":[{listed}],"last":"{last}"}}}}'
        return web.Response(text=body, content_type="application/json")


def _rest_ns(one: TapePrint) -> int:
    """Return a trade's time as the history has it: with nanoseconds, which the websocket leaves out."""
    return one.time_ns // 1_000 * 1_000 + one.number * 37 % 1_000


def _seconds(time_ns: int) -> str:
    return f"{time_ns // 10**9}.{time_ns % 10**9:09d}".rstrip("0").rstrip(".")


def _iso(time_ns: int) -> str:
    moment = datetime.fromtimestamp(time_ns // 10**9, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ns % 10**9 // 1000:06d}Z"


if __name__ == "__main__":
    serve(KrakenStandIn, "/v2")
