"""The detector of docs/adding-a-detector.md works with the page's code as it is."""

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks, commands_in

TEXT = (ROOT / "docs" / "adding-a-detector.md").read_text()
FILE, ENTRY, CHECK = blocks(TEXT, "python")
[PROFILE] = blocks(TEXT, "yaml")
[COMMANDS] = blocks(TEXT, "sh")

FILE_PATH = "services/detector/detectors/size/round_lots.py"
REGISTRY_PATH = "services/contracts/detectors.py"
REGISTRY_END = "    )\n}\n"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the code with the page's file and entry in it."""
    folder = tmp_path_factory.mktemp("copy")
    for name in ("services", "cli"):
        shutil.copytree(ROOT / name, folder / name)
    assert f"`{FILE_PATH}`" in TEXT
    assert f"`{REGISTRY_PATH}`" in TEXT
    (folder / FILE_PATH).write_text(FILE)
    entry = textwrap.indent(ENTRY.rstrip(), 8 * " ")
    registry = (folder / REGISTRY_PATH).read_text()
    assert registry.count(REGISTRY_END) == 1
    (folder / REGISTRY_PATH).write_text(registry.replace(REGISTRY_END, f"{entry},\n{REGISTRY_END}"))
    return folder


def run(copy: Path, folder: Path, *arguments: str) -> str:
    env = os.environ | {"PYTHONPATH": str(copy), "POLARS_MAX_THREADS": "1"}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_backtest_finds_its_anomalies(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "round-lots.yaml").write_text(PROFILE)
    for call in commands_in(COMMANDS, "tapewatch"):
        run(copy, tmp_path, "-m", "cli.main", *call)
    lines = (tmp_path / "anomalies.ndjson").read_text().splitlines()
    found = [one for one in map(json.loads, lines) if "Round Lots" in one["anomalies"]]
    assert found
    for anomaly in found:
        assert anomaly["size"] % 100 == 0
        assert anomaly["size"] > 900
        [said] = [one for one in anomaly["detections"] if one["detector"] == "round_lots"]
        assert said["label"] == "Round Lots"
        assert (said["value"], said["threshold"]) == (anomaly["size"], 900.0)


def test_it_keeps_every_law(copy: Path, tmp_path: Path) -> None:
    run(copy, tmp_path, "-c", CHECK)


def test_its_file_and_entry_are_all_that_is_added(copy: Path) -> None:
    changed = {
        str(path.relative_to(copy))
        for path in copy.rglob("*.py")
        if not (ROOT / path.relative_to(copy)).exists()
        or path.read_bytes() != (ROOT / path.relative_to(copy)).read_bytes()
    }
    assert changed == {FILE_PATH, REGISTRY_PATH}


def test_everything_shows_its_label(copy: Path, tmp_path: Path) -> None:
    code = (
        "from services.contracts.detectors import LABELS, by_label; assert 'Round Lots' in LABELS;"
        "from services.detector.offline.backtest.html import LABEL_COLORS; print(LABEL_COLORS['Round Lots'])"
    )
    assert run(copy, tmp_path, "-c", code).strip() == "#3f7fd8"
