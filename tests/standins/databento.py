"""Databento's live gateway, as far as trades and trading status by raw symbols go.

python -m tests.standins.databento --tape '{"symbols": ["MSFT"]}'

IFEU.IMPACT numbers packets, not prints, and has no
schema `status` here.
"""

import asyncio
import contextlib
import hashlib
import random
import secrets
import time
from collections import Counter, deque
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import databento_dbn
from aiohttp import web

from tests.standins.faults import Fault
from tests.standins.server import Client, StandIn, serve
from tests.standins.tape import Tape, TapePrint

dbn: Any = databento_dbn  # which declares its enums' members as numbers

KEY = "db-StandInStandInStandInStandIn1"
PUBLISHERS = {"XNAS.ITCH": 2, "IFEU.IMPACT": 57}
NUMBERS_PACKETS = ("IFEU.IMPACT",)
FIRST_INSTRUMENT = 10_000
RECEIVED_AFTER_NS = 25_000
MOST_SESSIONS = 10
MOST_CONNECTIONS_A_SECOND = 5
HALT_S = 0.5


class GatewaySocket:
    """A connection's end as `StandIn` uses it: an aiohttp websocket has the same methods.

    Parameters
    ----------
    writer
        Where it writes.
    """

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.turn = asyncio.Lock()
        self.draw = random.Random(1)  # noqa: S311 - no secret

    @property
    def transport(self) -> asyncio.WriteTransport:
        """For a reset."""
        return self.writer.transport

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self.writer.is_closing()

    async def send_bytes(self, data: bytes) -> None:
        """Send bytes in two pieces, most often cut within a record."""
        cut = self.draw.randrange(len(data)) if data else 0
        self.writer.write(data[:cut])
        await self.writer.drain()
        if self.draw.random() < 0.1:
            await asyncio.sleep(0.002)
        self.writer.write(data[cut:])
        await self.writer.drain()

    async def close(self, **_: object) -> None:
        """End it politely."""
        self.writer.close()


class DatabentoStandIn(StandIn):
    """See the module."""

    def __init__(self, tape: Tape, faults: Sequence[Fault]) -> None:
        super().__init__(tape, faults)
        self._instruments = {
            symbol: FIRST_INSTRUMENT + place for place, symbol in enumerate(tape.config.symbols)
        }
        self._accepted: deque[float] = deque(maxlen=MOST_CONNECTIONS_A_SECOND)
        self._oldest_ns = 0
        """Nothing before is replayed."""
        self._packets: dict[str, list[int]] = {}
        self._dataset = "XNAS.ITCH"
        self.asked: list[list[dict[str, str]]] = []

    async def open(self) -> dict[str, Any]:
        """See `StandIn`."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=1 << 20)
        return {"url": f"127.0.0.1:{server.sockets[0].getsockname()[1]}"}

    # --- the text before the stream ---

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Client(GatewaySocket(writer))  # type: ignore[arg-type]
        client.data["request"] = client.socket
        try:
            await self._serve(reader, client)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            if client in self.clients:
                self.clients.remove(client)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, client: Client) -> None:
        now_s = time.monotonic()
        is_excess = len(self._accepted) == MOST_CONNECTIONS_A_SECOND and now_s - self._accepted[0] < 1.0
        self._accepted.append(now_s)
        if now_s < self._closed_until_s or is_excess:
            return
        writer = client.socket.writer  # type: ignore[attr-defined]
        challenge = secrets.token_hex(16)
        writer.write(f"lsg_version=0.9.4\ncram={challenge}\n".encode())
        login = _fields(await reader.readuntil(b"\n"))
        refusal = self._refusal(login, challenge)
        if refusal is not None:
            writer.write(f"success=0|error={refusal}\n".encode())
            await writer.drain()
            return
        self.sessions += 1
        self._dataset = login["dataset"]
        client.data["heartbeat_s"] = float(login.get("heartbeat_interval_s") or 30)
        client.data["sent_s"] = now_s
        self.clients.append(client)
        writer.write(f"success=1|session_id={self.sessions}\n".encode())
        asked = []
        while "start_session" not in (fields := _fields(await reader.readuntil(b"\n"))):
            asked.append(fields)
        self.asked.append(asked)
        async with client.socket.turn:  # type: ignore[attr-defined]
            goes_on = await self._begin(client, asked)
        while goes_on and await reader.read(1024):
            pass

    def _refusal(self, login: dict[str, str], challenge: str) -> str | None:
        digest = hashlib.sha256(f"{challenge}|{KEY}".encode()).hexdigest()
        if login.get("auth") != f"{digest}-{KEY[-5:]}":
            return "Authentication failed."
        if login.get("dataset") not in PUBLISHERS:
            return f"Unknown dataset {login.get('dataset')}"
        if len(self.clients) >= MOST_SESSIONS:
            return "User has reached their open connection limit"
        return None

    # --- the stream ---

    async def _begin(self, client: Client, asked: Sequence[dict[str, str]]) -> bool:
        """Send what comes before the live stream; returns whether that follows."""
        now_ns = self.tape.now_ns
        metadata = dbn.Metadata(
            self._dataset, now_ns, None, dbn.SType.INSTRUMENT_ID, None, version=3, ts_out=False
        )
        await self._put(client, metadata.encode())
        replay: list[TapePrint] = []
        live: set[str] = set()
        for one in asked:
            if one["schema"] not in self._schemas():
                await self._fail(client, dbn.ErrorCode.INVALID_SUBSCRIPTION, f"No {one['schema']} here")
                return False
            start = int(one["start"]) if "start" in one else None
            if start and start < self._oldest_ns:
                await self._fail(client, dbn.ErrorCode.REPLAY_DATA_AGED_OUT, "Replay data has aged out")
                return False
            await self._put(client, self._answer_to(one, now_ns))
            symbols = [symbol for symbol in one["symbols"].split(",") if symbol in self._instruments]
            if one["schema"] == "trades":
                live.update(symbols)
                if start is not None:
                    past = [each for symbol in symbols for each in self.past(symbol)]
                    replay += [each for each in past if each.time_ns >= start]
        client.data["last"] = {
            symbol: self.tape.by_symbol[symbol][-1].number for symbol in live if self.tape.by_symbol[symbol]
        }
        client.symbols.update(live)
        replay.sort(key=lambda each: (self._original(each).time_ns, each.number))
        await self._put(client, b"".join(self._record(each) for each in replay))
        if any("start" in one for one in asked):
            done = dbn.SystemMsg(self.tape.now_ns, "Finished trades replay", dbn.SystemCode.REPLAY_COMPLETED)
            await self._put(client, bytes(done))
        return True

    def _schemas(self) -> tuple[str, ...]:
        return ("trades",) if self._dataset in NUMBERS_PACKETS else ("trades", "status")

    def _answer_to(self, asked: dict[str, str], now_ns: int) -> bytes:
        """Return the acknowledgement of a subscription, and what its symbols are."""
        records: list[bytes] = []
        if asked.get("is_last", "1") == "1":
            words = f"Subscription request {asked.get('id')} for {asked['schema']} data succeeded"
            records.append(bytes(dbn.SystemMsg(now_ns, words, dbn.SystemCode.SUBSCRIPTION_ACK)))
        for symbol in asked["symbols"].split(","):
            number = self._instruments.get(symbol)
            if number is None:
                words = f"Failed to resolve symbol: {symbol}"
                error = dbn.ErrorMsg(now_ns, words, True, dbn.ErrorCode.SYMBOL_RESOLUTION_FAILED)
                records.append(bytes(error))
                continue
            never = dbn.UNDEF_TIMESTAMP
            kinds = dbn.SType.RAW_SYMBOL
            records.append(
                bytes(dbn.SymbolMappingMsg(0, number, now_ns, kinds, symbol, kinds, symbol, never, never))
            )
        return b"".join(records)

    def _original(self, one: TapePrint) -> TapePrint:
        prints = self.tape.by_symbol[one.symbol]
        return prints[one.number - prints[0].number]

    def _record(self, one: TapePrint) -> bytes:
        received_ns = self._original(one).time_ns + RECEIVED_AFTER_NS
        return bytes(
            dbn.TradeMsg(
                publisher_id=PUBLISHERS[self._dataset],
                instrument_id=self._instruments[one.symbol],
                ts_event=one.time_ns,
                price=int(one.price.replace(".", "")) * 10**7,
                size=_size(one),
                action=dbn.Action.TRADE,
                side=dbn.Side.BID if one.is_buy else dbn.Side.ASK,
                depth=0,
                ts_recv=received_ns,
                flags=130,
                ts_in_delta=RECEIVED_AFTER_NS,
                sequence=self._sequence(one),
            )
        )

    def _sequence(self, one: TapePrint) -> int:
        """Return a print's number, or its packet's: prints of a symbol and time are in one packet."""
        if self._dataset not in NUMBERS_PACKETS:
            return one.number
        packets = self._packets.setdefault(one.symbol, [])
        prints = self.tape.by_symbol[one.symbol]
        while len(packets) < len(prints):
            place = len(packets)
            is_next = place > 0 and prints[place].time_ns != prints[place - 1].time_ns
            packets.append((packets[-1] if packets else 500) + is_next)
        return packets[one.number - prints[0].number]

    def frames(self, client: Client, prints: Sequence[TapePrint]) -> list[str | bytes]:
        """See `StandIn`; what was replayed is not sent again, and a reader may be too slow for some."""
        last = client.data.get("last", {})
        fresh = [one for one in prints if one.number > last.get(one.symbol, 0)]
        skipped = min(client.data.get("skip", 0), len(fresh))
        if skipped:
            client.data["skip"] -= skipped
            fresh = fresh[skipped:]
            if not client.data["skip"]:
                words = "Skipped records after slow reading"
                code = dbn.ErrorCode.SKIPPED_RECORDS_AFTER_SLOW_READING
                return [
                    bytes(dbn.ErrorMsg(self.tape.now_ns, words, True, code)),
                    b"".join(self._record(one) for one in fresh),
                ]
        return [b"".join(self._record(one) for one in fresh)]

    async def send(self, client: Client, frame: str | bytes) -> None:
        """See `StandIn`."""
        if frame and not client.is_silent and not client.socket.closed:
            async with client.socket.turn:  # type: ignore[attr-defined]
                await self._put(client, frame if isinstance(frame, bytes) else frame.encode())

    async def _put(self, client: Client, data: bytes) -> None:
        client.data["sent_s"] = time.monotonic()
        if data:
            with contextlib.suppress(ConnectionError):
                await client.socket.send_bytes(data)

    async def _beat(self) -> None:
        now_s = time.monotonic()
        for client in list(self.clients):
            if client.symbols and now_s - client.data["sent_s"] >= client.data["heartbeat_s"]:
                beat = dbn.SystemMsg(self.tape.now_ns, "Heartbeat", dbn.SystemCode.HEARTBEAT)
                await self.send(client, bytes(beat))

    # --- faults ---

    def malformed(self) -> bytes:
        """See `StandIn`; a trade without a side that there is."""
        never = dbn.UNDEF_TIMESTAMP
        whole = dbn.TradeMsg(2, FIRST_INSTRUMENT, never, 0, 0, dbn.Action.TRADE, dbn.Side.BID, 0, never)
        return bytes(whole)

    async def misbehave(self, client: Client, fault: Fault) -> None:
        """See `StandIn`."""
        now_ns = self.tape.now_ns
        if fault.kind == "garbled":
            await self.send(client, bytes(range(1, 40)))
        elif fault.kind == "skipped":
            client.data["skip"] = int(fault.amount)
        elif fault.kind == "slow":
            words = "Slow reader detected"
            await self.send(client, bytes(dbn.SystemMsg(now_ns, words, dbn.SystemCode.SLOW_READER_WARNING)))
        elif fault.kind == "internal":
            await self._fail(client, dbn.ErrorCode.INTERNAL_ERROR, "Internal error")
        elif fault.kind == "limit":
            await self._fail(client, dbn.ErrorCode.CONNECTION_LIMIT_EXCEEDED, "Connection limit exceeded")
        elif fault.kind == "halt":
            symbol = sorted(client.symbols)[0]
            await self.send(client, self._status(symbol, dbn.StatusAction.HALT))
            later = self.send(client, self._status(symbol, dbn.StatusAction.TRADING))
            asyncio.get_running_loop().call_later(HALT_S, asyncio.ensure_future, later)

    async def _fail(self, client: Client, code: object, words: str) -> None:
        error = dbn.ErrorMsg(self.tape.now_ns, words, True, code)
        await self._put(client, bytes(error))
        await client.socket.close()

    def _status(self, symbol: str, action: object) -> bytes:
        now_ns = self.tape.now_ns
        reason = dbn.StatusReason.NEWS_PENDING
        number = self._instruments[symbol]
        return bytes(dbn.StatusMsg(PUBLISHERS[self._dataset], number, now_ns, now_ns, action, reason))

    def _forget(self) -> None:
        """Have the replay lack what came before the last prints, of whatever symbol."""
        kept = self.tape.prints[-20 * len(self._instruments) :]
        self._oldest_ns = kept[0].time_ns
        for symbol, prints in self.tape.by_symbol.items():
            later = [one for one in prints if one.time_ns >= self._oldest_ns]
            self._forgotten[symbol] = later[0].number if later else prints[-1].number + 1

    # --- over HTTP ---

    async def receive(self, client: Client, message: str) -> None:
        """See `StandIn`; there is no websocket."""

    async def history(self, request: web.Request) -> web.StreamResponse:
        """See `StandIn`; for the tests, as the gateway has none."""
        if request.path == "/_asked":
            return web.json_response(self.asked)
        return web.Response(status=404)

    def ids(self) -> dict[str, int]:
        """See `StandIn`."""
        counts: Counter[str] = Counter()
        ids = {}
        for one in self.tape.prints:
            day = datetime.fromtimestamp(self._seen(one).time_ns // 10**9, UTC).strftime("%Y%m%d")
            name = f"{PUBLISHERS[self._dataset]}-{self._instruments[one.symbol]}-{day}-{self._sequence(one)}"
            counts[name] += 1
            is_later = self._dataset in NUMBERS_PACKETS and counts[name] > 1
            ids[f"{name}-{counts[name]}" if is_later else name] = one.number
        return ids


def _size(one: TapePrint) -> int:
    return int(float(one.size) * 100) + 1


def _fields(line: bytes) -> dict[str, str]:
    return {
        name: value for name, _, value in (part.partition("=") for part in line.decode().strip().split("|"))
    }


if __name__ == "__main__":
    serve(DatabentoStandIn, "/_websocket")
