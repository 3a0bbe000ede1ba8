"""Databento's live gateway up to its first record: the login, and what is subscribed to, in lines of text."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from services.common.errors import TapewatchError
from services.sources.feeds.tcp import TcpConnection
from services.sources.feeds.venue import ConnectionLostError, RefusedError

PORT = 13000
MOST_SYMBOLS = 500
"""Symbols that a line may name."""

KEY_HINT = "Check the key in the file that TAPEWATCH_DATABENTO_KEY_FILE names, and what its plan allows."
_PASSES = ("limit", "internal", "unavailable", "too many", "try again", "timeout", "timed out")
"""A refusal with one of these words may not be repeated by a later try."""


@dataclass(frozen=True)
class Subscription:
    """What is asked for at once.

    Parameters
    ----------
    schema
        Databento's schema.
    symbols
        Raw symbols.
    start
        From which `ts_event` on the stream is replayed, in ns since 1970; 0 for as far back as there is; None
        to begin live.
    """

    schema: str
    symbols: tuple[str, ...]
    start: int | None


def address(url: str | None, dataset: str) -> tuple[str, int]:
    """Return host and port of the gateway for a dataset.

    Raises
    ------
    TapewatchError
        The URL is not `HOST:PORT`.
    """
    if url is None:
        return f"{dataset.lower().replace('.', '-')}.lsg.databento.com", PORT
    host, _, port = url.rpartition(":")
    if not host or "/" in host or not port.isdigit():
        raise TapewatchError(f"{url} is not the address of a Databento gateway.", "Give --url HOST:PORT.")
    return host, int(port)


def can_pass(reason: str) -> bool:
    """Whether a later try may not meet with this refusal."""
    return any(word in reason.lower() for word in _PASSES)


async def log_in(connection: TcpConnection, key: str, dataset: str, heartbeat_s: int) -> None:
    """Answer the gateway's challenge.

    Raises
    ------
    ConnectionLostError
        It hangs up, or is no such gateway.
    RefusedError
        It refuses the login.
    """
    challenge = ""
    while not challenge:
        fields = _fields(await connection.line())
        challenge = fields.get("cram", "")
        if not challenge and "lsg_version" not in fields:
            raise ConnectionLostError("it does not answer as a gateway of Databento")
    digest = hashlib.sha256(f"{challenge}|{key}".encode()).hexdigest()
    await connection.send(
        f"auth={digest}-{key[-5:]}|dataset={dataset}|encoding=dbn|ts_out=0|compression=none"
        f"|heartbeat_interval_s={heartbeat_s}|slow_reader_behavior=warn|client=tapewatch\n"
    )
    answer = _fields(await connection.line())
    if answer.get("success") != "1":
        reason = answer.get("error") or "it gives no reason"
        raise RefusedError(reason, None if can_pass(reason) else KEY_HINT)


async def subscribe(connection: TcpConnection, subscriptions: Sequence[Subscription]) -> None:
    """Subscribe, and have the stream begin.

    Raises
    ------
    ConnectionLostError
        It hangs up.
    """
    lines = []
    for number, asked in enumerate(subscriptions, 1):
        start = "" if asked.start is None else f"|start={asked.start}"
        for at in range(0, len(asked.symbols), MOST_SYMBOLS):
            symbols = ",".join(asked.symbols[at : at + MOST_SYMBOLS])
            is_last = int(at + MOST_SYMBOLS >= len(asked.symbols))
            lines.append(
                f"schema={asked.schema}|stype_in=raw_symbol|symbols={symbols}{start}|snapshot=0"
                f"|id={number}|is_last={is_last}\n"
            )
    await connection.send("".join([*lines, "start_session=0\n"]))


def _fields(line: str) -> dict[str, str]:
    """Return the parts of a line, `name=value` with bars between them."""
    return {name: value for name, _, value in (part.partition("=") for part in line.split("|"))}
