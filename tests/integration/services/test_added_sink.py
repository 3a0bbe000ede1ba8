"""The page `docs/adding-a-sink.md`: its code, put in the files it names, is all that a new sink needs."""

import os
import re
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka import Consumer, TopicPartition

from infra.embedded.stack import EmbeddedStack
from services.common.kafka.clients import new_consumer, new_producer
from services.common.kafka.reading import partition_numbers
from tests.integration.pipeline import addresses, letters, log_lines, set_up
from tests.samples import trade_json

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "adding-a-sink.md").read_text()
FILE, REGISTRATION = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
SINKS, LINE = REGISTRATION.splitlines(keepends=True)
TIMEOUT_S = 120


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the page's file and line; everything else is linked."""
    root = tmp_path_factory.mktemp("checkout")
    for name in ("cli", "infra"):
        (root / name).symlink_to(ROOT / name)
    own = ("services", "services/contracts", "services/indexer", "services/indexer/sinks")
    for folder in own:
        (root / folder).mkdir()
        for entry in (ROOT / folder).iterdir():
            if f"{folder}/{entry.name}" not in own and entry.name != "__pycache__":
                (root / folder / entry.name).symlink_to(entry)
    registry = root / "services" / "contracts" / "sinks.py"
    text = registry.read_text()
    assert SINKS in text
    registry.unlink()
    registry.write_text(text.replace(SINKS, SINKS + LINE))
    (root / "services" / "indexer" / "sinks" / "ndjson.py").write_text(FILE)
    return root


def index(checkout: Path, stack: EmbeddedStack, file: Path) -> dict[str, Any]:
    """Run the sink to the end of the topics; return the last line of its log."""
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "index", "--sink", "ndjson", "--until-idle", "1"],
        env=os.environ | addresses(stack) | {"PYTHONPATH": str(checkout), "TAPEWATCH_METRICS_PORT": "0"},
        cwd=file.parent,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return log_lines(done.stderr, "indexed")[-1]


def lines_of(file: Path, run: str) -> list[dict[str, Any]]:
    return [line for line in map(orjson.loads, file.read_bytes().splitlines()) if run in line["target"]]


def uncommitted(stack: EmbeddedStack, group: str) -> list[TopicPartition]:
    consumer: Consumer = new_consumer(stack.kafka_connection, group)
    wanted = [TopicPartition("trades", number) for number in partition_numbers(consumer, "trades")]
    committed = consumer.committed(wanted, timeout=30)
    behind = [p for p in committed if max(p.offset, 0) != consumer.get_watermark_offsets(p, timeout=30)[1]]
    consumer.close()
    return behind


@pytest.mark.slow
def test_sink_of_the_page_gets_all_records_in_order_and_rejects_the_rest(
    checkout: Path, stack: EmbeddedStack, tmp_path: Path
) -> None:
    set_up(stack)
    run = uuid.uuid4().hex
    file = tmp_path / "tapewatch.ndjson"
    producer = new_producer(stack.kafka_connection)
    first, second, later = (
        trade_json(number, trade_id=f"{run}-{number % 2}", price=100.0 + number) for number in range(3)
    )
    garbage = f"no json {run}".encode()
    for value in (first, second, garbage, later):
        producer.produce("trades", key=b"SINK", value=value)
    producer.produce("anomalies", key=b"SINK", value=first)
    taken_back = {"trade_id": f"{run}-0", "timestamp": "2024-12-02T14:30:01Z"}
    producer.produce("anomalies", key=b"SINK", headers={**taken_back})
    assert producer.flush(10) == 0

    file.write_bytes(b'{"target":"torn')  # as a kill in the middle of a line leaves it
    index(checkout, stack, file)
    found = lines_of(file, run)
    trades = [line for line in found if line["target"].startswith("trades/")]
    assert [line["content"] for line in trades] == [orjson.loads(value) for value in (first, second, later)]
    anomalies = [line for line in found if line["target"].startswith("anomalies/")]
    assert [line["content"] for line in anomalies] == [orjson.loads(first), None]
    (letter,) = [headers for headers, value in letters(stack) if value == garbage]
    assert letter["service"] == "indexer-ndjson"
    assert letter["error"].startswith("not JSON")
    assert uncommitted(stack, "tapewatch-indexer-ndjson") == []

    size_bytes = file.stat().st_size
    end = index(checkout, stack, file)
    assert (end["documents"], end["dead_letters"]) == (0, 0)
    assert file.stat().st_size == size_bytes
