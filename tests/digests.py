"""Digests of the results for real days: show that a change of the code changes no anomaly and no document.

`python -m tests.digests` records them beside this file, `--check` compares. Each set of documents has two
digests: of `everything` but `detected_at`, and of what is `judged`: all but the sentences and the profile's
hash, which may be worded or written in another way without changing what is found.
"""

import argparse
import hashlib
import os
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
from elasticsearch import Elasticsearch, helpers

from infra.embedded.ports import free_port
from infra.embedded.stack import EmbeddedStack, StackConfig
from tests.integration.pipeline import run_pipeline, tapewatch
from tests.samples import REAL_DATA

RECORDED = Path(__file__).with_suffix(".json")
PROFILES = ("default", "classic")
INDICES = ("trades-*", "anomalies-*")

SAME_ON_ALL = {"NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR"}
"""With AVX-512, numpy's exponentials and logarithms have other last bits than on other processors."""

Digests = dict[str, dict[str, Any]]


def digest(documents: Iterable[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """Return how many documents there are, and their digests; a document stands behind its place."""
    everything, judged = hashlib.sha256(), hashlib.sha256()
    count = 0
    for place, fields in documents:
        count += 1
        fields.pop("detected_at", None)
        everything.update(_line(place, fields))
        fields.pop("model", None)
        fields.pop("message", None)
        for detection in fields.get("detections", ()):
            detection.pop("reason")
        judged.update(_line(place, fields))
    return {"count": count, "everything": everything.hexdigest(), "judged": judged.hexdigest()}


def _line(place: str, fields: dict[str, Any]) -> bytes:
    return place.encode() + b" " + orjson.dumps(fields, option=orjson.OPT_SORT_KEYS) + b"\n"


def backtests(stack: EmbeddedStack, days: list[Path], folder: Path) -> Digests:
    """Return the digests of each day's backtest with each profile."""
    found = {}
    for day in days:
        for profile in PROFILES:
            output = folder / "anomalies.ndjson"
            tapewatch(stack, "backtest", str(day), "--profile", profile, "--output", str(output))
            lines = output.read_bytes().splitlines()
            found[f"backtest {day.name} {profile}"] = digest(("", orjson.loads(line)) for line in lines)
            print(f"{day.name} {profile}: {len(lines)} anomalies", file=sys.stderr)
    return found


def indexed(stack: EmbeddedStack, day: Path) -> Digests:
    """Return the digests of a day's documents in Elasticsearch."""
    run_pipeline(stack, str(day))
    found = {}
    with Elasticsearch(stack.elasticsearch_url, request_timeout=60) as client:
        for index in INDICES:
            client.indices.refresh(index=index)
            hits = helpers.scan(client, index=index, size=5_000)
            documents = sorted((f"{hit['_index']}/{hit['_id']}", hit["_source"]) for hit in hits)
            found[f"index {day.name} {index}"] = digest(documents)
    return found


def main() -> int:
    """Record or compare the digests; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with what is recorded")
    parser.add_argument("--days", type=int, default=None, help="only so many days")
    arguments = parser.parse_args()
    days = sorted(REAL_DATA.glob("*.csv.zst"))[: arguments.days]
    if not days:
        print(f"There are no days in {REAL_DATA}.", file=sys.stderr)
        return 1
    os.environ.update(SAME_ON_ALL)
    config = StackConfig(kafka_port=free_port(), elasticsearch_port=free_port())
    with EmbeddedStack(config) as stack, tempfile.TemporaryDirectory() as folder:
        found = backtests(stack, days, Path(folder)) | indexed(stack, days[0])
    if not arguments.check:
        RECORDED.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n")
        return 0
    return compare(orjson.loads(RECORDED.read_bytes()), found)


def compare(recorded: Digests, found: Digests) -> int:
    """Print the differences; return 1 if a digest that counts differs."""
    code = 0
    for name, digests in found.items():
        known = recorded[name]
        if digests["judged"] != known["judged"]:
            print(f"{name}: differs ({known['count']} documents before, {digests['count']} now)")
            code = 1
        elif digests["everything"] != known["everything"]:
            print(f"{name}: the same but for sentences or the profile's hash")
        else:
            print(f"{name}: the same")
    return code


if __name__ == "__main__":
    sys.exit(main())
