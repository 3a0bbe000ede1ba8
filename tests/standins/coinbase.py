"""Coinbase Exchange, as far as its channels `matches` and `heartbeat` and its trades by REST go.

python -m tests.standins.coinbase --tape '{"symbols": ["BTC-USD"]}'
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from aiohttp import web

from tests.standins.server import Client, StandIn, serve
from tests.standins.tape import TapePrint

MOST_ROWS = 1_000


class CoinbaseStandIn(StandIn):
    """See the module."""

    heartbeat_s = 1.0

    async def receive(self, client: Client, message: str) -> None:
        """See `StandIn`."""
        asked = json.loads(message)
        if asked.get("type") != "subscribe":
            await self.send(client, json.dumps({"type": "error", "message": "Malformed JSON"}))
            return
        unknown = [name for name in asked["product_ids"] if name not in self.tape.by_symbol]
        if unknown:
            reason = f"{unknown[0]} is not a valid product"
            await self.send(
                client, json.dumps({"type": "error", "message": "Failed to subscribe", "reason": reason})
            )
            await client.socket.close()
            return
        channels = [{"name": name, "product_ids": asked["product_ids"]} for name in asked["channels"]]
        await self.send(client, json.dumps({"type": "subscriptions", "channels": channels}))
        for symbol in asked["product_ids"]:
            prints = self.tape.by_symbol[symbol]
            if prints:
                await self.send(client, self._match(self._seen(prints[-1]), "last_match"))
        client.symbols.update(asked["product_ids"])

    def frames(self, client: Client, prints: Sequence[TapePrint]) -> list[str | bytes]:
        """See `StandIn`."""
        return [self._match(one, "match") for one in prints]

    def heartbeats(self, client: Client) -> list[str | bytes]:
        """See `StandIn`."""
        return [
            json.dumps(
                {
                    "type": "heartbeat",
                    "sequence": 90,
                    "last_trade_id": self.tape.by_symbol[symbol][-1].number
                    if self.tape.by_symbol[symbol]
                    else 0,
                    "product_id": symbol,
                    "time": _iso(self.tape.now_ns),
                }
            )
            for symbol in client.symbols
        ]

    @staticmethod
    def _match(one: TapePrint, kind: str) -> str:
        return json.dumps(
            {
                "type": kind,
                "trade_id": one.number,
                "maker_order_id": "ac928c66-ca53-498f-9c13-a110027a60e8",
                "taker_order_id": "132fb6ae-456b-4654-b4e0-d681ac05cea1",
                "side": "sell" if one.is_buy else "buy",
                "size": one.size,
                "price": one.price,
                "product_id": one.symbol,
                "sequence": one.number * 3,
                "time": _iso(one.time_ns),
            }
        )

    async def history(self, request: web.Request) -> web.StreamResponse:
        """See `StandIn`."""
        parts = request.path.strip("/").split("/")
        if len(parts) != 3 or parts[0] != "products" or parts[2] != "trades":
            return web.json_response({"message": "NotFound"}, status=404)
        if parts[1] not in self.tape.by_symbol:
            return web.json_response({"message": "NotFound"}, status=404)
        limit = min(int(request.query.get("limit", "100")), MOST_ROWS)
        before = int(request.query.get("after", 1 << 62))
        rows = [one for one in self.past(parts[1]) if one.number < before][-limit:]
        return web.json_response(
            [
                {
                    "time": _iso(one.time_ns),
                    "trade_id": one.number,
                    "price": one.price,
                    "size": one.size,
                    "side": "sell" if one.is_buy else "buy",
                }
                for one in reversed(rows)
            ]
        )


def _iso(time_ns: int) -> str:
    moment = datetime.fromtimestamp(time_ns // 10**9, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ns % 10**9 // 1000:06d}Z"


if __name__ == "__main__":
    serve(CoinbaseStandIn, "/")
