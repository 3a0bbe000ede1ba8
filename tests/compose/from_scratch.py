"""Starts again from scratch with files of several layouts, then without: no generated day beside them."""

import datetime as dt
import gzip
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import databento_dbn as dbn
import orjson

from services.contracts.topics import TRADES_TOPIC
from tests.chaos.verify import Violation
from tests.compose.engine import Done, run
from tests.compose.mistakes import SHOWN_CHARACTERS, Answer, Mistake, error_of, judge
from tests.compose.stack import ComposeStack
from tests.compose.waiting import wait_until
from tests.integration.pipeline import read_topic
from tests.samples import row, write_csv

TRADES_PER_FILE = 20
EVENT_NS = 1_733_149_800_000_000_007
"""2024-12-02, 14:30 UTC."""

REFUSED = Mistake(
    "no DATA_DIR, after a start with one",
    {},
    ("The topic trades has other trades already", "docker compose down --volumes"),
)


def write_layouts(folder: Path) -> int:
    """Write files of four layouts into a new folder; return how many trades they have, all different."""
    folder.mkdir()
    folder.chmod(0o755)
    numbers = iter(range(TRADES_PER_FILE * 4))

    def next_numbers() -> list[int]:
        return [next(numbers) for _ in range(TRADES_PER_FILE)]

    write_csv(folder / "a.csv", map(row, next_numbers()))
    write_csv(folder / "b.csv.zst", map(row, next_numbers()))
    plain = write_csv(folder / "c.csv", map(row, next_numbers()))
    (folder / "c.csv.gz").write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    (folder / "d.dbn").write_bytes(_metadata() + b"".join(map(_record, next_numbers())))
    (folder / "README.md").write_text("not a file of trades")
    for path in folder.iterdir():
        path.chmod(0o644)
    return TRADES_PER_FILE * 4


def check_from_scratch(stack: ComposeStack, folder: Path) -> tuple[list[Answer], list[Violation]]:
    """Remove everything, publish the files of a folder, then try to publish the generated day beside them."""
    wanted = write_layouts(folder)
    stack.remove()
    # What the producer waits for starts with it.
    stack.compose("up", "--detach", "producer", DATA_DIR=str(folder))
    done = _ended(stack)
    violations = judge_published(done, _trade_ids(stack), wanted)
    stack.compose("up", "--detach", "--no-deps", "producer")
    done = _ended(stack)
    violations += judge(REFUSED, done)
    violations += judge_published(Done(0, "", ""), _trade_ids(stack), wanted)
    return [Answer(REFUSED.what, error_of(done.said), done.code)], violations


def judge_published(done: Done, trade_ids: list[str], wanted: int) -> list[Violation]:
    """Report a failure of the producer, and trades that are missing or there twice."""
    problems = [f"exit code {done.code}: {done.said[-SHOWN_CHARACTERS:]}"] if done.code else []
    if (len(trade_ids), len(set(trade_ids))) != (wanted, wanted):
        problems.append(f"{len(trade_ids)} trades, {len(set(trade_ids))} different, instead of {wanted}")
    return (
        [Violation("DATA_DIR with several layouts", "published", len(problems), tuple(problems))]
        if problems
        else []
    )


def _ended(stack: ComposeStack) -> Done:
    wait_until(lambda: not stack.is_running("producer"), "end of the producer")
    container = stack.container("producer")
    logs = run(["docker", "logs", container.name])
    return Done(container.exit_code, logs.output, logs.errors)


def _trade_ids(stack: ComposeStack) -> list[str]:
    return [orjson.loads(message.value() or b"{}")["trade_id"] for message in read_topic(stack, TRADES_TOPIC)]


def _record(number: int) -> bytes:
    at_ns = EVENT_NS + number * 1_000_000_000
    fields: dict[str, Any] = {
        "publisher_id": 2,
        "instrument_id": 11667,
        "ts_event": at_ns,
        "price": 137_970_000_000,
        "size": 100,
        "action": dbn.Action.TRADE,
        "side": dbn.Side.BID,
        "depth": 0,
        "ts_recv": at_ns + 200_000,
        "flags": 130,
        "ts_in_delta": 169_641,
        "sequence": 1000 + number,
    }
    return bytes(dbn.TradeMsg(**fields))


def _metadata() -> bytes:
    interval = SimpleNamespace(start_date=dt.date(2024, 12, 2), end_date=dt.date(2024, 12, 3), symbol="11667")
    return dbn.Metadata(
        dataset="XNAS.ITCH",
        start=EVENT_NS,
        stype_in=dbn.SType.from_str("raw_symbol"),
        stype_out=dbn.SType.from_str("instrument_id"),
        schema=dbn.Schema.from_str("trades"),
        symbols=["NVDA"],
        partial=[],
        not_found=[],
        mappings=[SimpleNamespace(raw_symbol="NVDA", intervals=[interval])],
    ).encode()
