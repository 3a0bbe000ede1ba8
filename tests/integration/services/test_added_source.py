"""The page `docs/adding-a-source.md`: its code, put in the files it names, is all that a new format needs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from infra.embedded.stack import EmbeddedStack
from tests.integration.pipeline import addresses, documents, ends, letters, read_topic, set_up, tapewatch
from tests.narrow import value_of

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "adding-a-source.md").read_text()
FILE, REGISTRATION = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
EXAMPLE = PAGE.split("```\n")[1]
KINDS = "FILE_KINDS = (\n"
LINE = REGISTRATION.splitlines(keepends=True)[1]
TIMEOUT_S = 120


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the page's file and line; everything else is linked."""
    root = tmp_path_factory.mktemp("checkout")
    sources = root / "services" / "sources"
    sources.mkdir(parents=True)
    for part in ("cli", "infra"):
        (root / part).symlink_to(ROOT / part)
    for here, there in ((root / "services", ROOT / "services"), (sources, ROOT / "services" / "sources")):
        for entry in there.iterdir():
            if entry.name not in ("sources", "registry.py", "__pycache__"):
                (here / entry.name).symlink_to(entry)
    registry = (ROOT / "services" / "sources" / "registry.py").read_text()
    assert KINDS in registry
    (sources / "registry.py").write_text(registry.replace(KINDS, KINDS + LINE))
    (sources / "pipes.py").write_text(FILE)
    return root


@pytest.fixture(scope="module")
def trades_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's two trades, a line that is not a trade, and a quiet stretch with one price far off."""
    prices = [137.97 + 0.01 * (number * 7919 % 5) for number in range(400)]
    prices[300] = 150.0
    lines = [
        f"2024-02-05T14:31:{number // 10:02}.{number % 10}Z|WXYZ|{price:.2f}|{50 + number * 31 % 100}|"
        f"{100 + number}|Q"
        for number, price in enumerate(prices)
    ]
    path = tmp_path_factory.mktemp("pipes") / "trades.txt"
    path.write_text("\n".join([EXAMPLE.rstrip(), "2024-02-05T14:30:30Z|WXYZ|cheap|1|19|Q", *lines, ""]))
    return path


def run(checkout: Path, *arguments: str, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments],
        env=os.environ | env | {"PYTHONPATH": str(checkout), "TAPEWATCH_METRICS_PORT": "0"},
        cwd=checkout,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.slow
def test_backtest_finds_the_anomaly_in_a_file_of_the_new_format(
    checkout: Path, trades_file: Path, tmp_path: Path
) -> None:
    output = tmp_path / "anomalies.ndjson"
    run(checkout, "backtest", str(trades_file), "--output", str(output))
    found = {line["trade_id"]: line for line in map(orjson.loads, output.read_bytes().splitlines())}
    off_market = found["broker-20240205-WXYZ-400"]
    assert off_market["price"] == 150.0
    assert off_market["anomalies"][0] == "Off-Market Price"
    assert (off_market["source"], off_market["extra"]) == ("broker", {"venue": "Q"})


def test_trades_of_the_new_format_are_published_once_and_indexed_with_their_extra_fields(
    checkout: Path, trades_file: Path, stack: EmbeddedStack
) -> None:
    set_up(stack)
    begin = ends(stack, "trades")
    for _ in range(2):
        run(checkout, "produce", str(trades_file), **addresses(stack))
    published = [orjson.loads(value_of(message)) for message in read_topic(stack, "trades", begin)]
    assert len(published) == 402
    assert published[1] == {
        "@timestamp": "2024-02-05T14:30:00.250000000Z",
        "trade_id": "broker-20240205-WXYZ-18",
        "symbol": "WXYZ",
        "price": 137.98,
        "size": 25,
        "side": "N",
        "source": "broker",
        "sequence": 18,
        "extra": {"venue": "P"},
    }
    [(headers, row)] = [letter for letter in letters(stack) if letter[0].get("file") == trades_file.name]
    assert (headers["line"], headers["error"]) == ("4", "price cannot be read")
    assert row == b"2024-02-05T14:30:30Z|WXYZ|cheap|1|19|Q"
    tapewatch(stack, "index", "--until-idle", "1")
    indexed = documents(stack, "trades-2024.02.05", term={"extra.venue": "P"})
    assert list(indexed) == ["broker-20240205-WXYZ-18"]
