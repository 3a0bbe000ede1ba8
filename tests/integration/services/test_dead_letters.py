"""Dead letters of real runs, listed and replayed. The topics are shared; each test knows its own letters."""

import os
import re
import signal
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import orjson
import pytest

from infra.embedded.ports import free_port
from infra.embedded.stack import EmbeddedStack
from services.common.elastic.client import Elasticsearch
from services.common.kafka.clients import new_producer
from services.common.kafka.records import Record
from tests.integration.pipeline import (
    catch_up,
    documents,
    first_letters,
    read_topic,
    set_up,
    tapewatch,
    wait_for,
)
from tests.narrow import headers_of
from tests.samples import row, trade_json, write_csv

STOP_WITHIN_S = 10

Headers = dict[str, str | bytes | None]


@pytest.fixture(scope="module", autouse=True)
def topics(stack: EmbeddedStack) -> None:
    set_up(stack)


def publish(
    stack: EmbeddedStack,
    *values: bytes,
    key: bytes | None = b"NVDA",
    partition: int = -1,
    headers: Headers | None = None,
) -> None:
    producer = new_producer(stack.kafka_connection)
    for value in values:
        producer.produce("trades", key=key, value=value, partition=partition, headers=headers)
    assert producer.flush(10) == 0


def dead_letters(stack: EmbeddedStack, *arguments: str, code: int = 0) -> str:
    return tapewatch(stack, "dead-letters", *arguments, code=code).stdout


def listed(stack: EmbeddedStack, *arguments: str) -> dict[str, dict[str, Any]]:
    lines = dead_letters(stack, "list", "--json", "--limit", "100000", *arguments).splitlines()
    return {letter["id"]: letter for letter in map(orjson.loads, lines)}


def ids_of(stack: EmbeddedStack, value: bytes) -> list[str]:
    """Return the letters with this value, one for each message; the older one first in each partition."""
    found = [message for message in first_letters(stack) if message.value() == value]
    return [f"{message.partition()}-{message.offset()}" for message in found]


def put_back(stack: EmbeddedStack, *, of: set[str]) -> list[Record]:
    return [
        message
        for message in read_topic(stack, "trades")
        if headers_of(message).get("dead-letter", b"").decode() in of
    ]


@pytest.mark.slow
def test_letters_of_rows_and_messages_are_listed_and_shown(stack: EmbeddedStack, tmp_path: Path) -> None:
    run = uuid.uuid4().hex
    bad_row = row(1, size=f"lots {run}")
    file = f"{run[:6]}.csv"
    path = write_csv(tmp_path / file, [bad_row, row(2, ts_event="2024-02-21T15:00:00.000000001Z")])
    not_json = f"no json [bold]{run}[/bold]\x1b[2J".encode()
    no_text = b"\xff\x00" + run.encode()
    wrong_type = trade_json(1, price="12", trade_id=run)
    tapewatch(stack, "produce", str(path))
    publish(stack, not_json, no_text, wrong_type)
    tapewatch(stack, "detect", "--until-idle", "1")

    letters = listed(stack)
    (row_id,), (json_id,), (text_id,), (type_id,) = (
        ids_of(stack, value) for value in (bad_row.encode(), not_json, no_text, wrong_type)
    )
    assert letters[row_id]["headers"] == {
        "service": "producer",
        "error": f"size is not a number: 'lots {run}'",
        "file": file,
        "line": "2",
    }
    assert letters[type_id]["headers"]["topic"] == "trades"
    assert letters[type_id]["key"] == "NVDA"
    assert {letters[name]["state"] for name in (row_id, json_id, text_id, type_id)} == {"new"}

    table = dead_letters(stack, "list", "--service", "producer", "--limit", "1")
    assert row_id in table
    assert f"{file} line 2" in table.replace("\n", " ")
    producers = sum(letter["headers"]["service"] == "producer" for letter in letters.values())
    letter = "dead letter" if producers == 1 else "dead letters, the newest 1 shown"
    assert f"{producers:,} {letter}: producer {producers:,} (" in table

    shown = dead_letters(stack, "show", json_id, text_id, type_id)
    assert f"no json [bold]{run}[/bold]\\x1b[2J\n" in shown
    assert "\x1b" not in shown
    assert "00000000  ff 00" in shown
    assert f'  "trade_id": "{run}",\n' in shown
    assert shown.index(f"Letter {json_id}\n") < shown.index(f"Letter {type_id}\n")
    assert raw_value(stack, text_id) == no_text

    skipped = dead_letters(stack, "replay", row_id)
    assert f"{row_id}  skipped: {file} line 2 is not a message; fix the file and publish it again" in skipped
    assert "0 put back, 1 skipped" in skipped


def raw_value(stack: EmbeddedStack, letter_id: str) -> bytes:
    return subprocess.run(
        [sys.executable, "-m", "cli.main", "dead-letters", "show", letter_id, "--raw"],
        env=os.environ | {"TAPEWATCH_KAFKA": stack.kafka_bootstrap},
        capture_output=True,
        timeout=60,
        check=True,
    ).stdout


@pytest.mark.slow
def test_message_is_indexed_once_the_mapping_that_rejected_it_was_fixed(stack: EmbeddedStack) -> None:
    run = uuid.uuid4().hex
    day = {"@timestamp": "2024-02-01T15:00:00.000000001Z", "symbol": "MEND"}
    good = trade_json(1, **day, trade_id=f"{run}-1")
    refused = trade_json(2, **day, trade_id=f"{run}-2", venue_note="block")
    publish(stack, good, refused, key=b"MEND")
    catch_up(stack)
    (letter_id,) = ids_of(stack, refused)
    assert documents(stack, "trades-2024.02.01", term={"symbol": "MEND"}).keys() == {f"{run}-1"}
    with Elasticsearch(stack.elasticsearch_url) as client:
        client.indices.put_mapping(index="trades-2024.02.01", properties={"venue_note": {"type": "keyword"}})

    would = dead_letters(stack, "replay", "--dry-run", letter_id)
    assert would == f"{letter_id}  would be put back into trades\n1 would be put back\n"
    assert put_back(stack, of={letter_id}) == []
    assert listed(stack)[letter_id]["state"] == "new"

    assert dead_letters(stack, "replay", letter_id) == f"{letter_id}  put back into trades\n1 put back\n"
    catch_up(stack)
    assert documents(stack, "trades-2024.02.01", term={"symbol": "MEND"})[f"{run}-2"]["venue_note"] == "block"
    (again,) = put_back(stack, of={letter_id})
    (first,) = [m for m in read_topic(stack, "trades") if m.value() == refused and not m.headers()]
    assert (again.key(), again.value(), again.partition()) == (b"MEND", refused, first.partition())
    assert listed(stack)[letter_id]["state"] == "replayed"
    assert ids_of(stack, refused) == [letter_id]
    assert re.search(r"^  replayed +2", dead_letters(stack, "show", letter_id), re.MULTILINE)


@pytest.mark.slow
def test_all_is_put_back_once_and_never_what_fails_again(stack: EmbeddedStack) -> None:
    value = f"never a trade {uuid.uuid4().hex}".encode()
    dead_letters(stack, "replay", "--all")  # what other tests left
    publish(stack, value, key=None, partition=4, headers={"desk": b"7"})
    catch_up(stack)
    (letter_id,) = ids_of(stack, value)

    said = dead_letters(stack, "replay", "--all", "--dry-run")
    assert f"{letter_id}  would be put back into trades" in said
    said = dead_letters(stack, "replay", "--all")
    assert f"{letter_id}  put back into trades" in said
    assert said.splitlines()[-1].startswith("1 put back")
    (message,) = put_back(stack, of={letter_id})
    assert (message.value(), message.key(), message.partition()) == (value, None, 4)
    assert headers_of(message) == {"desk": b"7", "dead-letter": letter_id.encode()}
    assert listed(stack)[letter_id]["state"] == "replayed"

    catch_up(stack)
    ids = ids_of(stack, value)
    (failure_id,) = set(ids) - {letter_id}
    letters = listed(stack)
    assert len(ids) == 2
    assert letters[failure_id]["headers"]["replay_of"] == letter_id
    assert letters[failure_id]["headers"]["offset"] == str(message.offset())
    assert (letters[letter_id]["state"], letters[failure_id]["state"]) == ("replayed, failed again", "new")

    last = dead_letters(stack, "replay", "--all").splitlines()[-1]
    assert last.startswith("0 put back")
    assert "rejected again after replay" in last
    assert len(put_back(stack, of={letter_id, failure_id})) == 1

    assert f"{failure_id}  put back into trades" in dead_letters(stack, "replay", failure_id)
    (again,) = put_back(stack, of={failure_id})
    assert headers_of(again) == {"desk": b"7", "dead-letter": failure_id.encode()}
    assert listed(stack)[failure_id]["state"] == "replayed"


@pytest.mark.slow
@pytest.mark.parametrize("key", [b"NVDA", None])
def test_message_that_two_services_reject_is_one_letter_and_is_put_back_once(
    stack: EmbeddedStack, key: bytes | None
) -> None:
    value = f"for nobody {uuid.uuid4().hex}".encode()
    dead_letters(stack, "replay", "--all")  # what other tests left
    publish(stack, value, key=key, partition=5)
    tapewatch(stack, "index", "--until-idle", "1")
    (letter_id,) = ids_of(stack, value)
    letter = listed(stack)[letter_id]
    assert (letter["headers"]["service"], letter["state"]) == ("indexer", "new")

    tapewatch(stack, "detect", "--until-idle", "1")
    written = [message for message in read_topic(stack, "dead-letters") if message.value() == value]
    assert [headers_of(message)["service"] for message in written] == [b"indexer", b"detector"]
    assert ids_of(stack, value) == [letter_id]
    assert [one["id"] for one in listed(stack).values() if one["headers"] == letter["headers"]] == [letter_id]
    (second,) = {f"{message.partition()}-{message.offset()}" for message in written} - {letter_id}
    assert second not in listed(stack)
    assert second in listed(stack, "--service", "detector")

    # Whichever of them is put back, the message is.
    assert f"{second}  put back into trades" in dead_letters(stack, "replay", second)
    assert listed(stack)[letter_id]["state"] == "replayed"
    dead_letters(stack, "replay", "--all")
    assert len(put_back(stack, of={letter_id, second})) == 1


def test_nothing_is_put_back_when_one_of_the_letters_is_not_there(stack: EmbeddedStack) -> None:
    value = f"still no trade {uuid.uuid4().hex}".encode()
    producer = new_producer(stack.kafka_connection)
    reason: Headers = {"service": "detector", "error": "no"}
    origin: Headers = {"topic": "trades", "partition": "0", "offset": "0"}
    producer.produce("dead-letters", value=value, headers=reason | origin)
    assert producer.flush(10) == 0
    (letter_id,) = ids_of(stack, value)
    partition = letter_id.split("-")[0]
    for missing in (f"{partition}-99999999", "77-1"):
        failed = tapewatch(stack, "dead-letters", "replay", letter_id, missing, code=1)
        assert f"No such dead letter: {missing}." in failed.stderr
        assert failed.stdout == ""
    assert "'oops' is not the id" in tapewatch(stack, "dead-letters", "show", "oops", code=1).stderr
    assert put_back(stack, of={letter_id}) == []


def test_service_without_letters_is_no_failure(stack: EmbeddedStack) -> None:
    assert dead_letters(stack, "list", "--service", "nobody") == "no dead letters of the service nobody\n"
    assert dead_letters(stack, "list", "--service", "nobody", "--json") == ""


@pytest.mark.parametrize(
    "arguments", [("replay",), ("replay", "--all", "0-0"), ("show", "--raw", "0-0", "0-1")]
)
def test_call_that_could_mean_two_things_is_rejected(
    stack: EmbeddedStack, arguments: tuple[str, ...]
) -> None:
    dead_letters(stack, *arguments, code=2)


@pytest.mark.parametrize("arguments", [("list",), ("replay", "--all")])
@pytest.mark.slow
def test_broker_that_is_not_there_is_waited_for_until_ctrl_c(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", "dead-letters", *arguments],
            stdout=subprocess.DEVNULL,
            stderr=output,
            env=os.environ | {"TAPEWATCH_KAFKA": f"127.0.0.1:{free_port()}"},
        )
    try:
        wait_for(log, "waiting for Kafka", process)
        process.send_signal(signal.SIGINT)
        assert process.wait(STOP_WITHIN_S) == 128 + signal.SIGINT, log.read_text()
    finally:
        process.kill()
        process.wait()
