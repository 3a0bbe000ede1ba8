"""A venue that runs here: its live feed by websocket and its history by HTTP, on one port of 127.0.0.1.

A stand-in is a process of its own. It prints its port as JSON in its first line of output. `GET /_state`
tells what its tape has and which faults have struck.
"""

import argparse
import asyncio
import contextlib
import json
import os
import socket
import struct
import sys
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from tests.standins.faults import Fault
from tests.standins.tape import Tape, TapeConfig, TapePrint

STEP_S = 0.005
KEPT_WHEN_FORGOTTEN = 20
LAGS_FOR_S = 4.0


@dataclass(eq=False)
class Client:
    """A connection.

    Parameters
    ----------
    socket
        Its websocket.
    symbols
        What it has subscribed to.
    """

    socket: web.WebSocketResponse
    symbols: set[str] = field(default_factory=set)
    is_silent: bool = False
    data: dict[str, Any] = field(default_factory=dict)


class StandIn(ABC):
    """A venue's server.

    Parameters
    ----------
    tape
        Its tape; it begins with this.
    faults
        What it does wrong.
    """

    heartbeat_s: float | None = None

    def __init__(self, tape: Tape, faults: Sequence[Fault]) -> None:
        self.tape = tape
        self._faults = sorted(faults, key=lambda fault: fault.at_print)
        self.clients: list[Client] = []
        self.sessions = 0
        self.requests = 0
        self.corrections: list[dict[str, Any]] = []
        """What was taken back or corrected: `trade_id`, null where nobody can tell it, and `action`."""
        self._closed_until_s = 0.0
        self._busy = self._broken = 0
        self._lag_s = 0.0
        self._lags_until_s = 0.0
        self._forgotten: dict[str, int] = {}
        self._dropping: dict[str, int] = {}
        self._moved: dict[tuple[str, int], TapePrint] = {}
        self._swapped: tuple[Client, TapePrint] | None = None
        self._heartbeat_at_s = 0.0

    @abstractmethod
    async def receive(self, client: Client, message: str) -> None:
        """Take a message of a client."""

    async def greet(self, client: Client) -> None:  # noqa: B027 - most venues say nothing at first
        """Say something to a client that has just connected."""

    @abstractmethod
    def frames(self, client: Client, prints: Sequence[TapePrint]) -> list[str | bytes]:
        """Return the frames with prints for a client."""

    def heartbeats(self, client: Client) -> list[str | bytes]:
        """Return what is sent each `heartbeat_s`."""
        return []

    def malformed(self) -> str | bytes:
        """Return a frame that nobody can use."""
        return '{"type":"match","trade_id":"what'

    async def open(self) -> dict[str, Any]:
        """Open what else it needs; returns what the first line of output says besides the port."""
        return {}

    @abstractmethod
    async def history(self, request: web.Request) -> web.StreamResponse:
        """Answer a question for past prints, from `past`."""

    def past(self, symbol: str) -> list[TapePrint]:
        """Return the prints of a symbol that history has, in order."""
        prints = [self._seen(one) for one in self.tape.by_symbol.get(symbol, [])]
        first = self._forgotten.get(symbol, 0)
        if time.monotonic() < self._lags_until_s:
            latest_ns = self.tape.now_ns - int(self._lag_s * self.tape.config.speed * 1e9)
            prints = [one for one in prints if one.time_ns <= latest_ns]
        return [one for one in prints if one.number >= first]

    def _seen(self, one: TapePrint) -> TapePrint:
        """Return a print as everybody sees it, with the clock's faults."""
        return self._moved.get((one.symbol, one.number), one)

    # --- the live feed ---

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """Serve a websocket."""
        if time.monotonic() < self._closed_until_s:
            return web.Response(status=503, text="closed for a while")
        self.sessions += 1
        answer = web.WebSocketResponse(autoping=False)
        await answer.prepare(request)
        client = Client(answer)
        client.data["request"] = request
        self.clients.append(client)
        try:
            await self.greet(client)
            async for message in answer:
                if client.data.get("is_mute"):
                    continue
                if message.type is WSMsgType.PING:
                    await answer.pong(message.data)
                elif message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    text = message.data if isinstance(message.data, str) else message.data.decode("latin-1")
                    await self.receive(client, text)
        finally:
            self.clients.remove(client)
        return answer

    async def send(self, client: Client, frame: str | bytes) -> None:
        """Send a frame, unless the client has gone or is not to hear anything."""
        if client.is_silent or client.socket.closed:
            return
        with contextlib.suppress(ConnectionError):
            if isinstance(frame, bytes):
                await client.socket.send_bytes(frame)
            else:
                await client.socket.send_str(frame)

    async def run(self) -> None:
        """Send the tape as time goes by, from the first subscription on, which may come late."""
        while True:
            await asyncio.sleep(STEP_S)
            if any(client.symbols for client in self.clients):
                self.tape.begin()
            first = len(self.tape.prints)
            fresh = list(self.tape.advance())
            for place, one in enumerate(fresh, first):
                await self._strike(place, one)
            fresh = [self._seen(one) for one in fresh]
            for client in list(self.clients):
                await self._send_prints(client, [one for one in fresh if one.symbol in client.symbols])
            await self._beat()

    async def _beat(self) -> None:
        now_s = time.monotonic()
        if self.heartbeat_s is None or now_s < self._heartbeat_at_s:
            return
        self._heartbeat_at_s = now_s + self.heartbeat_s
        for client in list(self.clients):
            for frame in self.heartbeats(client):
                await self.send(client, frame)

    async def _send_prints(self, client: Client, prints: list[TapePrint]) -> None:
        sent: list[TapePrint] = []
        for one in prints:
            if self._dropping.get(one.symbol, 0) > 0:
                self._dropping[one.symbol] -= 1
                continue
            sent.append(one)
        doubled = client.data.pop("double", False)
        if doubled and sent:
            sent.insert(1, sent[0])
        elif doubled:
            client.data["double"] = True
        if self._swapped is not None and self._swapped[0] is client and sent:
            late = self._swapped[1]
            self._swapped = None
            sent.insert(1, late)
        elif client.data.get("swap") and sent and self._swapped is None:
            client.data.pop("swap")
            self._swapped = (client, sent.pop(0))
        for frame in self.frames(client, sent) if sent else []:
            await self.send(client, frame)

    # --- faults ---

    async def _strike(self, place: int, one: TapePrint) -> None:
        listening = [
            client
            for client in self.clients
            if one.symbol in client.symbols and not client.is_silent and not client.socket.closed
        ]
        if not listening:
            return
        due = next(
            (fault for fault in self._faults if not fault.has_struck and fault.at_print <= place), None
        )
        if due is None:
            return
        client, kind = listening[0], due.kind
        due.has_struck = True
        if kind == "drop":
            self._dropping[one.symbol] = int(due.amount)
        elif kind in ("double", "swap"):
            client.data[kind] = True
        elif kind == "malformed":
            await self.send(client, self.malformed())
        elif kind in ("silence", "mute"):
            client.is_silent = True
            client.data["is_mute"] = kind == "mute"
        elif kind == "close":
            await client.socket.close(code=WSCloseCode.OK)
        elif kind == "reset":
            _reset(client)
        elif kind == "busy":
            self._busy = int(due.amount)
            _reset(client)
        elif kind == "broken":
            self._broken = int(due.amount)
            _reset(client)
        elif kind == "lagging":
            self._lag_s, self._lags_until_s = due.amount, time.monotonic() + LAGS_FOR_S
            await client.socket.close(code=WSCloseCode.OK)
        elif kind in ("outage", "forgotten"):
            self._closed_until_s = time.monotonic() + due.amount
            for each in listening:
                _reset(each)
            if kind == "forgotten":
                asyncio.get_running_loop().call_later(due.amount * 0.9, self._forget)
        elif kind == "clock":
            self._move_clock(one, due.amount)
        elif kind == "halves":
            client.data["halves"] = True
        else:
            await self.misbehave(client, due)

    async def misbehave(self, client: Client, fault: Fault) -> None:
        """Do what only this venue does wrong."""
        raise ValueError(f"this venue does not know the fault {fault.kind}")

    def too_many(self) -> web.Response:
        """Return how its history answers who asks too often."""
        return web.Response(status=429, headers={"Retry-After": "1"}, text="too many requests")

    def _forget(self) -> None:
        for symbol, prints in self.tape.by_symbol.items():
            if len(prints) > KEPT_WHEN_FORGOTTEN:
                self._forgotten[symbol] = prints[-KEPT_WHEN_FORGOTTEN].number

    def _move_clock(self, one: TapePrint, seconds: float) -> None:
        for number in range(one.number, one.number + 5):
            prints = self.tape.by_symbol[one.symbol]
            at = number - prints[0].number
            if at < len(prints):
                moved = replace(prints[at], time_ns=prints[at].time_ns + int(seconds * 1e9))
                self._moved[one.symbol, number] = moved

    # --- the history ---

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer over HTTP."""
        self.requests += 1
        if time.monotonic() < self._closed_until_s:
            return web.Response(status=503, text="closed for a while")
        if self._busy > 0:
            self._busy -= 1
            return self.too_many()
        if self._broken > 0:
            self._broken -= 1
            if self._broken % 2:
                return web.Response(status=500, text="internal error")
            return web.Response(text='[{"trade_id":12')
        return await self.history(request)

    def ids(self) -> dict[str, int]:
        """Return the tape's numbers by `trade_id`, where the number is not in it."""
        return {}

    async def tell_ids(self, request: web.Request) -> web.StreamResponse:
        """Tell the tests which print is which."""
        return web.json_response(self.ids())

    async def state(self, request: web.Request) -> web.StreamResponse:
        """Tell the tests what the tape has and what has struck."""
        return web.json_response(
            {
                "numbers": {
                    symbol: [prints[0].number, prints[-1].number]
                    for symbol, prints in self.tape.by_symbol.items()
                    if prints
                },
                "prints": len(self.tape.prints),
                "is_over": self.tape.is_over,
                "not_struck": [fault.kind for fault in self._faults if not fault.has_struck],
                "struck": [fault.kind for fault in self._faults if fault.has_struck],
                "forgotten": self._forgotten,
                "corrections": self.corrections,
                "sessions": self.sessions,
                "requests": self.requests,
            }
        )


def _reset(client: Client) -> None:
    """End a connection by a reset."""
    transport = client.data["request"].transport
    if transport is None or transport.is_closing():
        return
    plain: socket.socket = transport.get_extra_info("socket")
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def serve(make: "type[StandIn]", websocket_path: str) -> None:
    """Run a stand-in until its standard input ends; its arguments are JSON of the tape and the faults."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tape", type=json.loads, required=True)
    parser.add_argument("--faults", type=json.loads, default=[])
    parser.add_argument("--port", type=int, default=0)
    chosen = parser.parse_args()
    chosen.tape["symbols"] = tuple(chosen.tape["symbols"])
    asyncio.run(_serve(make, websocket_path, chosen))


async def _serve(make: "type[StandIn]", websocket_path: str, chosen: argparse.Namespace) -> None:
    standin = make(Tape(TapeConfig(**chosen.tape)), [Fault(**fault) for fault in chosen.faults])
    app = web.Application()
    app.router.add_get("/_state", standin.state)
    app.router.add_get("/_ids", standin.tell_ids)
    app.router.add_get(websocket_path, standin.connect)
    app.router.add_get("/{rest:.*}", standin.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", chosen.port)
    await site.start()
    port = runner.addresses[0][1]
    print(json.dumps({"port": port, **await standin.open()}), flush=True)
    task = asyncio.create_task(standin.run())
    ends = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    done, _ = await asyncio.wait({task, ends}, return_when=asyncio.FIRST_COMPLETED)
    if task in done:  # the other thread would keep a process that has failed
        traceback.print_exception(task.exception())
        os._exit(1)
    task.cancel()
    await runner.cleanup()
