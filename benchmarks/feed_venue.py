"""A venue that sends prints at a rate, for the benchmark of feeds: Coinbase's messages, or Alpaca's arrays.

    python -m benchmarks.feed_venue coinbase AAA-USD,BBB-USD 5000 1 30

The arguments are the layout, symbols, prints a second, prints a frame, and seconds. It prints its port first.
Each print is stamped when it is sent; every thousandth is ten per cent off the others, and
buyers and sellers take turns: a tape of one side alone is an anomaly at each print.
"""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

OFF_EVERY = 1_000
CENTS = 10_000


def iso(time_ns: int) -> str:
    """Write a time with nanoseconds."""
    return f"{datetime.fromtimestamp(time_ns // 10**9, UTC):%Y-%m-%dT%H:%M:%S}.{time_ns % 10**9:09d}Z"


def cents_of(number: int) -> int:
    """Return a print's price: it moves by a cent, and sometimes by a tenth."""
    cents = CENTS + number * 7919 % 3
    return cents * 11 // 10 if number % OFF_EVERY == OFF_EVERY - 1 else cents


def coinbase(symbols: Sequence[str], number: int, time: str) -> str:
    """Return a print as Coinbase sends it."""
    turn, at = divmod(number, len(symbols))
    symbol, cents, side = symbols[at], cents_of(number), ("sell", "buy")[turn % 2]
    return (
        f'{{"type":"match","trade_id":{turn + 1},"maker_order_id":"a","taker_order_id":"b","side":"{side}",'
        f'"size":"0.{number % 997 + 1:08d}","price":"{cents // 100}.{cents % 100:02d}",'
        f'"product_id":"{symbol}","sequence":{number},"time":"{time}"}}'
    )


def alpaca(symbols: Sequence[str], number: int, time: str) -> str:
    """Return a print as Alpaca sends it, one of an array."""
    symbol, cents = symbols[number % len(symbols)], cents_of(number)
    return (
        f'{{"T":"t","S":"{symbol}","i":{number + 1},"x":"V","p":{cents // 100}.{cents % 100:02d},'
        f'"s":{number % 300 + 1},"c":["@"],"t":"{time}","z":"C"}}'
    )


def no_history(_: ServerConnection, request: Request) -> Response | None:
    """Answer questions for past prints: there are none."""
    if request.headers.get("Upgrade") is not None:
        return None
    body = b"[]" if request.path.startswith("/products") else b'{"trades":{},"next_page_token":null}'
    return Response(200, "OK", Headers({"Content-Length": str(len(body)), "Connection": "close"}), body)


async def send(
    connection: ServerConnection,
    layout: str,
    symbols: Sequence[str],
    rate: float,
    per_frame: int,
    seconds: float,
) -> None:
    """Greet a client as the venue does, and send it prints for so long."""
    make = {"coinbase": coinbase, "alpaca": alpaca}[layout]
    if layout == "alpaca":
        await connection.send('[{"T":"success","msg":"connected"}]')
        await connection.recv()
        await connection.send('[{"T":"success","msg":"authenticated"}]')
    await connection.recv()
    began_s = time.monotonic()
    count = int(rate * seconds)
    for first in range(0, count, per_frame):
        wait_s = began_s + first / rate - time.monotonic()
        if wait_s > 0.0005:
            await asyncio.sleep(wait_s)
        now = iso(time.time_ns())
        prints = [make(symbols, number, now) for number in range(first, first + per_frame)]
        await connection.send(prints[0] if layout == "coinbase" else f"[{','.join(prints)}]")
    print(json.dumps({"sent": count, "seconds": time.monotonic() - began_s}), flush=True)
    await connection.wait_closed()


async def main() -> None:
    """Serve until standard input ends."""
    layout, symbols = sys.argv[1], sys.argv[2].split(",")
    rate, per_frame, seconds = float(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])

    async def handle(connection: ServerConnection) -> None:
        await send(connection, layout, symbols, rate, per_frame, seconds)

    async with serve(handle, "127.0.0.1", 0, process_request=no_history, compression=None) as server:
        print(json.dumps({"port": next(iter(server.sockets)).getsockname()[1]}), flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
