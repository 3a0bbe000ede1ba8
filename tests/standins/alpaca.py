"""Alpaca's market data of stocks, as far as trades, their corrections, statuses and history go.

python -m tests.standins.alpaca --tape '{"symbols": ["AAPL"]}'

Speaks JSON, and MessagePack to a client that asks for it. It takes one connection at a time.
"""

import asyncio
import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from aiohttp import WSCloseCode, web

from tests.standins.faults import Fault
from tests.standins.server import Client, StandIn, serve
from tests.standins.tape import Tape, TapePrint

KEY, SECRET = "standin-key", "standin-secret"
LOGIN_S = 10.0
FRAME_PRINTS = 50
PAGE_ROWS = 150
NEW_YORK = ZoneInfo("America/New_York")
EXCHANGES = "VQDNDP"
LETTERS = (["@"], ["@", "I"], ["@", "T"], [" ", "F"], ["@", "4"], ["@", "?"])
FIRST_ID = 52983525028174

Message = dict[str, Any]


class Number(str):
    """A number as its text."""


class AlpacaStandIn(StandIn):
    """See the module."""

    def __init__(self, tape: Tape, faults: Sequence[Fault]) -> None:
        super().__init__(tape, faults)
        self._occupied_until_s = 0.0
        self._updates: dict[tuple[str, int], Message] = {}
        """Of prints that were taken back: what history says, and the row that replaces them."""

    async def greet(self, client: Client) -> None:
        """See `StandIn`."""
        request: web.Request = client.data["request"]
        client.data["msgpack"] = request.headers.get("Content-Type") == "application/msgpack"
        await self._tell(client, {"T": "success", "msg": "connected"})
        client.data["login"] = asyncio.get_running_loop().call_later(
            LOGIN_S, lambda: asyncio.ensure_future(self._refuse(client, 404, "auth timeout"))
        )

    async def receive(self, client: Client, message: str) -> None:
        """See `StandIn`."""
        try:
            asked = (
                msgspec.msgpack.decode(message.encode("latin-1"))
                if client.data["msgpack"]
                else json.loads(message)
            )
            action = asked["action"]
        except (ValueError, KeyError, TypeError):
            await self._tell(client, {"T": "error", "code": 400, "msg": "invalid syntax"})
            return
        if action == "auth":
            await self._log_in(client, asked)
        elif not client.data.get("is_in"):
            await self._tell(client, {"T": "error", "code": 401, "msg": "not authenticated"})
        elif action == "subscribe":
            await self._subscribe(client, asked)
        elif action == "unsubscribe":
            client.symbols.difference_update(asked.get("trades", ()))
            await self._tell(client, self._subscription(client))
        else:
            await self._tell(
                client, {"T": "error", "code": 410, "msg": "invalid subscribe action for this feed"}
            )

    async def _log_in(self, client: Client, asked: Message) -> None:
        client.data["login"].cancel()
        now_s = asyncio.get_running_loop().time()
        if client.data.get("is_in"):
            await self._tell(client, {"T": "error", "code": 403, "msg": "already authenticated"})
        elif (asked.get("key"), asked.get("secret")) != (KEY, SECRET):
            await self._refuse(client, 402, "auth failed")
        elif now_s < self._occupied_until_s or any(
            each.data.get("is_in") and not each.socket.closed for each in self.clients
        ):
            await self._refuse(client, 406, "connection limit exceeded")
        else:
            client.data["is_in"] = True
            await self._tell(client, {"T": "success", "msg": "authenticated"})

    async def _subscribe(self, client: Client, asked: Message) -> None:
        names = asked.get("trades", [])
        client.symbols.update(self.tape.by_symbol if "*" in names else names)
        client.data["statuses"] = {*client.data.get("statuses", ()), *asked.get("statuses", ())}
        client.data["lulds"] = {*client.data.get("lulds", ()), *asked.get("lulds", ())}
        await self._tell(client, self._subscription(client))
        for symbol in sorted(client.symbols & set(self.tape.by_symbol))[:1]:
            time_ns = self.tape.now_ns
            codes = {"S": symbol, "sc": "H", "sm": "Trading Halt", "rc": "T12", "rm": "Information requested"}
            limits = {"T": "l", "S": symbol, "u": 200.5, "d": 180.5, "i": "B", "t": time_ns, "z": "C"}
            await self._tell(client, limits, {"T": "s", **codes, "t": time_ns, "z": "C"})

    @staticmethod
    def _subscription(client: Client) -> Message:
        symbols = sorted(client.symbols)
        kinds: Message = {"quotes": [], "bars": [], "updatedBars": [], "dailyBars": []}
        return {
            "T": "subscription",
            "trades": symbols,
            **kinds,
            "statuses": sorted(client.data.get("statuses", ())),
            "lulds": sorted(client.data.get("lulds", ())),
            "corrections": symbols,
            "cancelErrors": symbols,
        }

    async def _refuse(self, client: Client, code: int, words: str) -> None:
        await self._tell(client, {"T": "error", "code": code, "msg": words})
        await client.socket.close(code=WSCloseCode.OK)

    async def _tell(self, client: Client, *messages: Message) -> None:
        await self.send(client, _frame(messages, as_msgpack=client.data["msgpack"]))

    def frames(self, client: Client, prints: Sequence[TapePrint]) -> list[str | bytes]:
        """See `StandIn`."""
        whole = [{"T": "t", "S": one.symbol, **self._trade(one)} for one in prints]
        return [
            _frame(whole[first : first + FRAME_PRINTS], as_msgpack=client.data["msgpack"])
            for first in range(0, len(whole), FRAME_PRINTS)
        ]

    async def misbehave(self, client: Client, fault: Fault) -> None:
        """See `StandIn`."""
        if fault.kind == "occupied":
            self._occupied_until_s = asyncio.get_running_loop().time() + fault.amount
            await client.socket.close(code=WSCloseCode.OK)
        elif fault.kind == "slow_reader":
            # What it holds back meanwhile is never sent.
            client.symbols = set()
            loop = asyncio.get_running_loop()
            loop.call_later(
                fault.amount, lambda: asyncio.ensure_future(self._refuse(client, 407, "slow client"))
            )
        elif fault.kind in ("cancel", "correct"):
            await self._take_back(client, fault)
        else:
            await super().misbehave(client, fault)

    async def _take_back(self, client: Client, fault: Fault) -> None:
        """Cancel or correct the print that came so many prints before."""
        sent = [one for one in self.tape.prints[:-20] if one.symbol in client.symbols]
        if not sent:
            return
        one = self._seen(sent[-1 - min(int(fault.amount), len(sent) - 1)])
        if (one.symbol, one.number) in self._updates:
            return
        trade = self._trade(one)
        twins = [
            each
            for each in self.tape.by_symbol[one.symbol]
            if self._name(each) == self._name(one) and (each.price, each.size) == (one.price, one.size)
        ]
        trade_id = self.trade_id(one) if trade["x"] != "D" or len(twins) == 1 else None
        now = {"t": self.tape.now_ns, "z": "C"}
        if fault.kind == "cancel":
            self._updates[one.symbol, one.number] = {"u": "canceled"}
            told = {"T": "x", "S": one.symbol, "i": trade["i"], "x": trade["x"], "p": trade["p"]}
            told |= {"s": trade["s"], "a": "C", **now}
        else:
            new = {"i": trade["i"] + 7 * 10**9, "p": Number(f"{one.price}5"), "s": Number("12"), "c": ["@"]}
            self._updates[one.symbol, one.number] = {
                "u": "incorrect",
                "new": {**trade, **new, "u": "corrected"},
            }
            told = {"T": "c", "S": one.symbol, "x": trade["x"]}
            told |= {f"o{name}": trade[name] for name in "ipsc"} | {f"c{name}": new[name] for name in "ipsc"}
            told |= now
        self.corrections.append({"trade_id": trade_id, "symbol": one.symbol, "action": fault.kind})
        await self._tell(client, told)

    # --- what a print of the tape is in Alpaca's words ---

    def _trade(self, one: TapePrint) -> Message:
        """Return a trade without its symbol; the exchange D uses some ids twice."""
        return {
            "i": self._id(one),
            "x": self._exchange(one),
            "p": Number(one.price),
            "s": Number(one.size),
            "c": LETTERS[one.number % len(LETTERS)],
            "t": one.time_ns,
            "z": "C",
        }

    @staticmethod
    def _exchange(one: TapePrint) -> str:
        return EXCHANGES[one.number // 2 % len(EXCHANGES)]

    def _id(self, one: TapePrint) -> int:
        number = one.number
        if number % 2 and self._exchange(one) == "D":
            prints = self.tape.by_symbol[one.symbol]
            at = number - prints[0].number
            if at > 0 and self._seen(prints[at - 1]).time_ns != one.time_ns:
                number -= 1
        return FIRST_ID + number

    def _name(self, one: TapePrint) -> tuple[str, int]:
        return self._exchange(one), self._id(self._seen(one))

    def trade_id(self, one: TapePrint) -> str:
        """Return what Tapewatch is to call a print."""
        day = datetime.fromtimestamp(one.time_ns // 10**9, UTC).astimezone(NEW_YORK)
        exchange = self._exchange(one)
        name = f"alpaca-{one.symbol}-{day:%Y%m%d}-{exchange}-{self._id(one)}"
        return f"{name}-{one.time_ns}" if exchange == "D" else name

    def ids(self) -> dict[str, int]:
        """See `StandIn`."""
        return {self.trade_id(self._seen(one)): one.number for one in self.tape.prints}

    # --- history ---

    async def history(self, request: web.Request) -> web.StreamResponse:
        """See `StandIn`."""
        asked = request.query
        if request.path != "/v2/stocks/trades":
            return web.json_response({"message": "endpoint not found."}, status=404)
        given = (request.headers.get("APCA-API-KEY-ID"), request.headers.get("APCA-API-SECRET-KEY"))
        if given != (KEY, SECRET):
            return web.json_response({"message": "forbidden."}, status=403)
        try:
            start_ns, end_ns = _nanos(asked.get("start", "")), _nanos(asked.get("end", ""), 1 << 62)
            limit = int(asked.get("limit", "1000"))
            symbols = asked["symbols"].split(",")
            after = json.loads(base64.b64decode(asked["page_token"])) if "page_token" in asked else None
        except (KeyError, ValueError):
            return web.json_response({"message": "invalid query"}, status=400)
        if not 1 <= limit <= 10_000 or asked.get("sort", "asc") not in ("asc", "desc"):
            return web.json_response({"message": "invalid limit or sort"}, status=400)
        rows = [
            (one.symbol, one.time_ns, one.number, place, row)
            for symbol in symbols
            for one in self.past(symbol)
            if start_ns <= one.time_ns <= end_ns
            for place, row in enumerate(self._rows(one))
        ]
        sign = -1 if asked.get("sort") == "desc" else 1
        rows.sort(key=lambda row: (row[0], sign * row[1], sign * row[2], row[3]))
        if after is not None:
            key = (after[0], sign * after[1], sign * after[2], after[3])
            rows = [row for row in rows if (row[0], sign * row[1], sign * row[2], row[3]) > key]
        page = rows[: _border([row[1] for row in rows], min(limit, PAGE_ROWS))]
        token = None
        if len(page) < len(rows):
            token = base64.b64encode(json.dumps(page[-1][:4]).encode()).decode()
        trades: dict[str, list[Message]] = {}
        for symbol, *_, row in page:
            trades.setdefault(symbol, []).append(row)
        body = _json({"trades": trades, "next_page_token": token})
        return web.Response(text=body, content_type="application/json")

    def _rows(self, one: TapePrint) -> list[Message]:
        update = self._updates.get((one.symbol, one.number), {})
        row = self._trade(one)
        if "u" in update:
            row["u"] = update["u"]
        return [row, update["new"]] if "new" in update else [row]


def _border(times_ns: Sequence[int], most: int) -> int:
    """Return how many rows a page has: if possible so many that its end is inside a tie."""
    if len(times_ns) <= most:
        return len(times_ns)
    inside = [at for at in range(most // 2, most + 1) if times_ns[at - 1] == times_ns[at]]
    return inside[-1] if inside else most


def _frame(messages: Sequence[Message], *, as_msgpack: bool) -> str | bytes:
    if not as_msgpack:
        return _json(list(messages))
    return msgspec.msgpack.encode(
        [{name: _packed(name, each) for name, each in one.items()} for one in messages]
    )


def _packed(name: str, value: Any) -> object:  # noqa: ANN401 - as JSON has it
    if name == "t":
        seconds, nanos = divmod(value, 10**9)
        return msgspec.msgpack.Ext(-1, (nanos << 34 | seconds).to_bytes(8, "big"))
    if isinstance(value, Number):
        return float(value) if "." in value else int(value)
    return value


def _json(value: object) -> str:
    """Return JSON with numbers as their text has them, and with times as Alpaca writes them."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        fields = (
            f"{json.dumps(name)}:{_json(_iso(each) if name == 't' and isinstance(each, int) else each)}"
            for name, each in value.items()
        )
        return "{" + ",".join(fields) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_json(each) for each in value) + "]"
    return json.dumps(value)


def _iso(time_ns: int) -> str:
    """Return a time without needless zeros, as Go writes it."""
    moment = datetime.fromtimestamp(time_ns // 10**9, UTC)
    fraction = f".{time_ns % 10**9:09d}".rstrip("0").rstrip(".")
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z"


def _nanos(text: str, absent: int = 0) -> int:
    if not text:
        return absent
    whole, _, fraction = text.removesuffix("Z").removesuffix("+00:00").partition(".")
    moment = datetime.fromisoformat(whole).replace(tzinfo=UTC)
    seconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
    return seconds * 10**9 + int(fraction.ljust(9, "0") or 0)


if __name__ == "__main__":
    serve(AlpacaStandIn, "/v2/{feed:iex|sip}")
