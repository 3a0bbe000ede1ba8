"""The shell blocks of the pages use commands that exist; those that need no server are run."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs import surface
from tests.docs.pages import NAMES, ROOT, blocks, commands_in

ENDS_BY_ITSELF = {"generate", "backtest", "evaluate", "tune"}
"""Commands that need no server."""

BLOCKS = [(name, block) for name in NAMES for block in blocks((ROOT / name).read_text(), "sh")]
RUNNABLE = [
    (name, block)
    for name, block in BLOCKS
    if (calls := commands_in(block, "tapewatch"))
    and len(calls) == len(block.strip().splitlines())
    and all(call[0] in ENDS_BY_ITSELF for call in calls)
    and not any("…" in word or word == "--live" for call in calls for word in call)
]


@pytest.mark.parametrize(("name", "block"), BLOCKS, ids=lambda value: value if value in NAMES else "block")
def test_every_command_shown_is_one(name: str, block: str) -> None:
    assert wrong_calls(block) == []


@pytest.mark.parametrize(("name", "block"), RUNNABLE, ids=lambda value: value if value in NAMES else "block")
def test_block_that_needs_no_server_runs(name: str, block: str, tmp_path: Path) -> None:
    env = os.environ | {"PYTHONPATH": str(ROOT), "POLARS_MAX_THREADS": "1"}
    for call in commands_in(block, "tapewatch"):
        command = [sys.executable, "-m", "cli.main", *call]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_readme_has_a_block_that_is_run() -> None:
    assert "README.md" in {name for name, _ in RUNNABLE}


def wrong_calls(block: str) -> list[str]:
    """Return what is wrong with the calls of `tapewatch`, `make` and Python's modules in a block."""
    wrong = []
    commands = surface.commands()
    for call in commands_in(block, "tapewatch"):
        name = next((name for name in (" ".join(call[:2]), call[0]) if name in commands), None)
        if name is None:
            wrong.append(f"no command: {' '.join(call)}")
            continue
        command = commands[name]
        arguments = call[len(name.split()) :]
        try:
            command.make_context(name, arguments)
        except Exception as error:
            wrong.append(f"{' '.join(call)}: {error}")
    for call in commands_in(block, "make"):
        for word in call:
            variable, is_variable, _ = word.partition("=")
            known = surface.make_variables() if is_variable else surface.make_targets().keys()
            if variable not in known:
                wrong.append(f"make {word}")
    for call in commands_in(block, "python"):
        if call[:1] == ["-m"] and importlib.util.find_spec(call[1]) is None:
            wrong.append(f"no module: {call[1]}")
    return wrong


def test_wrong_calls_are_found() -> None:
    block = (
        "tapewatch fly\ntapewatch index --slowly\ntapewatch dead-letters lose 1\ntapewatch produce\n"
        "make coffee\nmake demo MILK=1\npython -m benchmarks.nothing\n"
    )
    assert len(wrong_calls(block)) == len(block.splitlines())


def test_right_calls_are_accepted() -> None:
    block = (
        "tapewatch index --until-idle 5 &\ntapewatch dead-letters show 3-1 # shows it\n"
        "make demo DATA=day.csv ONCE=1\npython -m benchmarks.index_choices\n"
    )
    assert wrong_calls(block) == []
