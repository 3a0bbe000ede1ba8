"""The peer of the benchmark of feeds: reads a venue's frames, decodes the JSON, and counts the prints.

    python -m benchmarks.feed_reader ws://127.0.0.1:1234 coinbase

That is the least that a Python program can do with them, with the same libraries and their defaults: nothing
is checked, kept or published.
"""

import asyncio
import sys

import msgspec
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed


async def main(url: str, layout: str) -> None:
    """Log in as the layout asks, and count to the end of the connection."""
    prints = 0
    async with connect(url, compression=None) as client:
        if layout == "alpaca":
            await client.recv()
            await client.send("{}")
            await client.recv()
        await client.send("{}")
        print("connected", flush=True)
        try:
            while True:
                message = msgspec.json.decode(await client.recv(decode=False))
                prints += len(message) if isinstance(message, list) else 1
        except ConnectionClosed:
            print(f"{prints} prints", flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
