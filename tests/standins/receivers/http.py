"""Webhook, Slack, PagerDuty and Alertmanager on one port of 127.0.0.1, by their paths.

A receiver is a process of its own. It prints its port as JSON in its first line of output, keeps what it
takes in a file, and ends with its standard input. `GET /_state` tells how many requests came; `POST /_reset`
makes it as one that has just been started, with other faults and secrets.
"""

import argparse
import asyncio
import json
import socket
import ssl
import struct
import sys

from aiohttp import web

from tests.standins.receivers.arguments import read_arguments
from tests.standins.receivers.faults import DRIP_S, ReceiverFault
from tests.standins.receivers.log import Log
from tests.standins.receivers.protocols import PROTOCOLS, Refused

AT_ONCE = b"x" * 65_536


class Receiver:
    """The server's state.

    Parameters
    ----------
    log
        What it has taken.
    faults
        What it does wrong.
    secrets
        What the protocols check by; empty where they check nothing.
    """

    def __init__(self, log: Log, faults: list[ReceiverFault], secrets: list[str]) -> None:
        self._log = log
        self._begin(faults, secrets)

    def _begin(self, faults: list[ReceiverFault], secrets: list[str]) -> None:
        self._faults = {fault.at_request: fault for fault in faults}
        self._secrets = secrets
        self._requests = self._strayed = 0
        self._struck: list[str] = []

    async def reset(self, request: web.Request) -> web.StreamResponse:
        """Forget everything, and take other faults and secrets."""
        given = await request.json()
        self._log.forget()
        self._begin([ReceiverFault(**fault) for fault in given["faults"]], given["secrets"])
        return web.Response()

    async def state(self, request: web.Request) -> web.StreamResponse:
        """Tell the tests what came."""
        return web.json_response(
            {"requests": self._requests, "strayed": self._strayed, "struck": self._struck}
        )

    async def stray(self, request: web.Request) -> web.StreamResponse:
        """Count who came where only a redirect leads."""
        self._strayed += 1
        return web.Response(text="ok")

    async def take(self, request: web.Request) -> web.StreamResponse:
        """Take a message, or misbehave."""
        fault = self._faults.get(self._requests)
        self._requests += 1
        body = await request.read()
        if fault is not None:
            self._struck.append(fault.kind)
            if (refusal := await self._refuse(request, body, fault)) is not None:
                return refusal
        protocol = PROTOCOLS[request.path]
        headers = {name.lower(): value for name, value in request.headers.items()}
        try:
            key = protocol.check(body, headers, self._secrets)
        except Refused as refused:
            return web.Response(status=refused.status, text=refused.body, headers=refused.headers)
        self._log.take(protocol.check.__name__, key, body, headers)
        answer = web.Response(status=protocol.status, text=protocol.answer(key) or None)
        if fault is None:
            return answer
        return await self._answer_badly(request, answer, fault)

    async def _refuse(
        self, request: web.Request, body: bytes, fault: ReceiverFault
    ) -> web.StreamResponse | None:
        """Return an answer to a message that is not taken; None if it is."""
        if fault.kind == "error":
            return web.Response(status=500, text="internal error")
        if fault.kind == "echo":
            given = "\n".join(f"{name}: {value}" for name, value in request.headers.items())
            return web.Response(status=500, text=f"{request.path}\n{body.decode()}\n{given}")
        if fault.kind == "busy":
            return web.Response(status=429, headers={"Retry-After": f"{fault.amount:g}"}, text="too many")
        if fault.kind == "gone":
            return web.Response(status=410, text="gone")
        if fault.kind == "redirect":
            port = request.transport.get_extra_info("sockname")[1] if request.transport else 0
            return web.Response(status=302, headers={"Location": f"http://127.0.0.1:{port}/_private"})
        if fault.kind == "hang":
            await asyncio.sleep(fault.amount)
            _reset(request)
            return web.Response(status=500)
        if fault.kind == "reset":
            _reset(request)
            return web.Response(status=500)
        if fault.kind == "huge":
            answer = web.StreamResponse(status=500)
            await answer.prepare(request)
            while True:
                await answer.write(AT_ONCE)
        return None

    async def _answer_badly(
        self, request: web.Request, answer: web.Response, fault: ReceiverFault
    ) -> web.StreamResponse:
        """Answer to a message that has been taken."""
        assert request.transport is not None
        if fault.kind == "slow":
            await asyncio.sleep(fault.amount)
            return answer
        whole = f"HTTP/1.1 {answer.status} Taken\r\nContent-Length: 100\r\n\r\nhalf of it".encode()
        if fault.kind == "cut":
            request.transport.write(whole[:11])
        elif fault.kind == "half":
            request.transport.write(whole)
        elif fault.kind == "drip":
            for place in range(int(fault.amount / DRIP_S)):
                request.transport.write(whole[place : place + 1])
                await asyncio.sleep(DRIP_S)
        await asyncio.sleep(0.05)
        _reset(request)
        return answer


def _reset(request: web.Request) -> None:
    """End a connection by a reset."""
    transport = request.transport
    if transport is None or transport.is_closing():
        return
    plain: socket.socket = transport.get_extra_info("socket")
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def _serve(chosen: argparse.Namespace) -> None:
    faults = [ReceiverFault(**fault) for fault in chosen.faults]
    receiver = Receiver(Log(chosen.log), faults, chosen.secrets)
    app = web.Application(client_max_size=4 * 1024 * 1024)
    app.router.add_get("/_state", receiver.state)
    app.router.add_post("/_reset", receiver.reset)
    app.router.add_route("*", "/_private", receiver.stray)
    for path in PROTOCOLS:
        app.router.add_post(path, receiver.take)
    runner = web.AppRunner(app, shutdown_timeout=0.2)
    await runner.setup()
    tls = None
    if chosen.certificate:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(chosen.certificate)
    await web.TCPSite(runner, "127.0.0.1", chosen.port, ssl_context=tls).start()
    print(json.dumps({"port": runner.addresses[0][1]}), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(_serve(read_arguments()))
