"""A mail server on a port of 127.0.0.1, with STARTTLS and a login; see `http` for how it is run.

Its secrets are `user:password`; with one, nobody sends without it. With a certificate it offers STARTTLS,
and takes a login and mail only after that; with `--implicit` it speaks TLS from the first byte.
"""

import argparse
import asyncio
import base64
import email
import email.policy
import json
import os
import re
import ssl
import sys

from tests.standins.receivers.arguments import read_arguments
from tests.standins.receivers.faults import DRIP_S, ReceiverFault
from tests.standins.receivers.log import Log

UNKNOWN = "unknown@"
"""Addresses that begin with it are refused for good; those with the next one for now."""
BUSY = "busy@"


class MailServer:
    """The server's state; its parameters are those of `Receiver`, and its TLS."""

    def __init__(
        self, log: Log, faults: list[ReceiverFault], secrets: list[str], tls: ssl.SSLContext | None
    ) -> None:
        self.log = log
        self.faults = {fault.at_request: fault for fault in faults}
        self.secrets = secrets
        self.tls = tls
        self.mails = 0

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        try:
            await Conversation(self, reader, writer).run()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()


class Conversation:
    """With one client."""

    def __init__(
        self, server: MailServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self._is_encrypted = writer.get_extra_info("ssl_object") is not None
        self._is_logged_in = not server.secrets
        self._sender = ""
        self._to: list[str] = []
        self._fault: ReceiverFault | None = None

    async def _say(self, line: str) -> None:
        self._writer.write(f"{line}\r\n".encode())
        await self._writer.drain()

    async def run(self) -> None:
        """Answer commands until the client quits."""
        await self._say("220 mail.test ready")
        while line := await self._reader.readline():
            text = line.decode("ascii").strip()
            verb, _, rest = text.partition(" ")
            if verb.upper() == "QUIT":
                await self._say("221 bye")
                return
            handler = getattr(self, f"_on_{verb.lower()}", None)
            if handler is None:
                await self._say("502 unknown command")
            else:
                await handler(rest)

    async def _on_ehlo(self, rest: str) -> None:
        offers = ["mail.test"]
        if self._server.tls is not None and not self._is_encrypted:
            offers.append("STARTTLS")
        if self._server.secrets and (self._is_encrypted or self._server.tls is None):
            offers.append("AUTH PLAIN")
        for place, offer in enumerate(offers, 1):
            await self._say(f"250{' ' if place == len(offers) else '-'}{offer}")

    async def _on_rset(self, rest: str) -> None:
        self._sender, self._to = "", []
        await self._say("250 forgotten")

    async def _on_starttls(self, rest: str) -> None:
        if self._server.tls is None:
            await self._say("502 not offered")
            return
        await self._say("220 go ahead")
        await self._writer.start_tls(self._server.tls)
        self._is_encrypted = True

    async def _on_auth(self, rest: str) -> None:
        mechanism, _, given = rest.partition(" ")
        if mechanism.upper() != "PLAIN":
            await self._say("504 unknown mechanism")
            return
        _, user, password = base64.b64decode(given).decode().split("\0")
        self._is_logged_in = f"{user}:{password}" in self._server.secrets
        if self._is_logged_in:
            await self._say("235 welcome")
        else:
            await self._say(f"535 {user} with {password} is nobody")

    async def _on_mail(self, rest: str) -> None:
        if self._server.tls is not None and not self._is_encrypted:
            await self._say("530 STARTTLS first")
            return
        if not self._is_logged_in:
            await self._say("530 log in first")
            return
        self._fault = self._server.faults.get(self._server.mails)
        self._server.mails += 1
        if self._fault is not None and self._fault.kind == "busy":
            await self._say("421 too many connections")
            return
        self._sender = _address(rest)
        await self._say("250 fine")

    async def _on_rcpt(self, rest: str) -> None:
        address = _address(rest)
        if address.startswith(UNKNOWN) or (self._fault is not None and self._fault.kind == "gone"):
            await self._say("550 nobody of that name")
        elif address.startswith(BUSY):
            await self._say("450 come back later")
        else:
            self._to.append(address)
            await self._say("250 fine")

    async def _on_data(self, rest: str) -> None:
        if not self._to:
            await self._say("503 nobody to send it to")
            return
        await self._say("354 go ahead")
        lines = []
        while (line := await self._reader.readuntil(b"\r\n")) != b".\r\n":
            lines.append(line[1:] if line.startswith(b".") else line)
        mail = b"".join(lines)
        kind = "" if self._fault is None else self._fault.kind
        if kind == "error":
            await self._say("451 local error")
            return
        if kind == "hang" and self._fault is not None:
            await asyncio.sleep(self._fault.amount)
            raise ConnectionResetError
        if kind == "reset":
            raise ConnectionResetError
        parsed = email.message_from_bytes(mail, policy=email.policy.SMTP)
        if any(not parsed[name] for name in ("From", "To", "Date", "Message-ID", "Subject")):
            await self._say("554 a header is missing")
            return
        envelope = {"from": self._sender, "to": ",".join(self._to), "tls": str(self._is_encrypted)}
        self._server.log.take("smtp", str(parsed["Message-ID"]), mail, envelope)
        if kind == "cut":
            self._writer.write(b"25")
            await self._writer.drain()
            await asyncio.sleep(0.05)
            raise ConnectionResetError
        if kind in ("slow", "drip") and self._fault is not None:
            for letter in "250-" if kind == "drip" else "":
                self._writer.write(letter.encode())
                await asyncio.sleep(DRIP_S)
            await asyncio.sleep(self._fault.amount)
        await self._say("250 taken")


def _address(rest: str) -> str:
    found = re.search(r"<([^>]*)>", rest)
    return found[1] if found else ""


async def _serve(chosen: argparse.Namespace) -> None:
    tls = None
    if chosen.certificate:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(chosen.certificate)
    faults = [ReceiverFault(**fault) for fault in chosen.faults]
    receiver = MailServer(Log(chosen.log), faults, chosen.secrets, tls)
    implicit = tls if chosen.implicit else None
    server = await asyncio.start_server(
        receiver.converse, "127.0.0.1", chosen.port, ssl=implicit, limit=4 * 1024 * 1024
    )
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()
    os._exit(0)  # conversations may still hang, as they are to


if __name__ == "__main__":
    asyncio.run(_serve(read_arguments()))
