"""Lines of JSON that come from another program."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import orjson
import pytest

from services.sources.base import Chunk
from services.sources.mapped.json_lines import JsonLines
from services.sources.mapped.mapping import read_mapping

MAPPING = "time=t,symbol=sym,price=trade.p,size=trade.q,side=side,id=n,source=broker"
LINE = b'{"t":"2026-01-02T16:00:00.5Z","sym":"X","trade":{"p":1.10,"q":0.25},"side":"buy","n":7}\n'


@contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    reads, writes = os.pipe()
    try:
        yield reads, writes
    finally:
        os.close(reads)


def read(*pieces: bytes, mapping: str = MAPPING) -> list[Chunk]:
    with pipe() as (reads, writes):
        for piece in pieces:
            os.write(writes, piece)
        os.close(writes)
        return list(JsonLines(read_mapping(mapping), reads).chunks())


def messages(chunks: list[Chunk], mapping: str = MAPPING) -> list[dict[str, object]]:
    source = JsonLines(read_mapping(mapping))
    return [
        orjson.loads(text) for chunk in chunks if len(chunk.trades) for text in source.to_json(chunk.trades)
    ]


def test_an_object_becomes_a_trade_with_exact_numbers() -> None:
    (trade,) = messages(read(LINE))
    assert trade == {
        "@timestamp": "2026-01-02T16:00:00.500000000Z",
        "trade_id": "broker-X-20260102-7",
        "symbol": "X",
        "price": 1.1,
        "size": 0.25,
        "side": "B",
        "source": "broker",
    }


def test_a_last_line_without_its_end_counts() -> None:
    assert len(messages(read(LINE + LINE.replace(b'"n":7', b'"n":8').strip()))) == 2


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"what\n", "not a line of JSON"),
        (b"[1]\n", "not a line of JSON"),
        (b"\xff\n", "not a line of JSON"),
        (b"[" * 20_000 + b"\n", "not a line of JSON"),
        (LINE.replace(b"1.10", b'"much"'), "price (trade.p) is not a number"),
        (LINE.replace(b'"X"', b"null"), "symbol (sym) is empty"),
    ],
)
def test_a_line_that_is_no_trade_is_rejected_alone(line: bytes, reason: str) -> None:
    chunks = read(LINE, line, LINE.replace(b'"n":7', b'"n":8'))
    assert len(messages(chunks)) == 2
    (row,) = [row for chunk in chunks for row in chunk.rejected]
    assert row.line == 2
    assert row.reason.startswith(reason)


def test_a_quiet_stream_yields_nothing_now_and_then() -> None:
    with pipe() as (reads, writes):
        chunks = JsonLines(read_mapping(MAPPING), reads).chunks()
        assert next(chunks).trades.is_empty()
        threading.Timer(0.05, os.write, (writes, LINE)).start()
        assert any(len(next(chunks).trades) for _ in range(3))
        os.close(writes)
        assert all(chunk.trades.is_empty() for chunk in chunks)


def test_two_streams_have_two_identities() -> None:
    mapping = read_mapping(MAPPING)
    assert JsonLines(mapping).identity != JsonLines(mapping).identity


def test_what_was_read_and_not_committed_is_read_again() -> None:
    lines = [LINE.replace(b'"n":7', b'"n":%d' % number) for number in range(1, 7)]
    with pipe() as (reads, writes):
        os.write(writes, b"".join(lines[:4]) + lines[4][:20])
        source = JsonLines(read_mapping(MAPPING), reads)
        first = next(source.chunks())
        assert first.cursor == 4
        os.write(writes, lines[4][20:] + lines[5])
        os.close(writes)
        again = list(source.chunks(2))
    ids = [one["trade_id"] for one in messages(again)]
    assert ids == [f"broker-X-20260102-{number}" for number in range(3, 7)]
    assert again[-1].cursor == 6
