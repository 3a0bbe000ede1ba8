import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.compose.engine import Done
from tests.compose.mistakes import Mistake, error_of, judge, make_mistakes

MISTAKE = Mistake("SPEED=fast", {"SPEED": "fast"}, ("SPEED is 'fast'.", "Give a number"))
SAID = "Error: SPEED is 'fast'. Give a number above 0.\n"


def test_an_error_that_names_the_mistake_once_is_good() -> None:
    assert judge(MISTAKE, Done(1, "", SAID)) == []


@pytest.mark.parametrize(
    ("done", "problem"),
    [
        (Done(0, "", SAID), "exit code 0"),
        (Done(1, "", ""), "does not say 'Give a number'"),
        (Done(1, SAID, SAID * 4), "says \"SPEED is 'fast'.\" again"),
    ],
)
def test_another_answer_is_reported(done: Done, problem: str) -> None:
    (violation,) = judge(MISTAKE, done)
    assert problem in violation.examples


def test_only_the_error_is_shown() -> None:
    lines = "Container created\nError: no trades.\nFix:   give some\n"
    assert error_of(lines) == "Error: no trades. Fix:   give some"
    assert error_of("something else") == "something else"


LEFT = {"DATA_DIR does not exist", "DATA_DIR may not be opened", "DATA_DIR has a file that may not be read"}
"""Left to the long form: the engine's own words, and a user without rights."""

PROGRAM = """
import os, pathlib, sys
from infra.docker import publish_days
publish_days.FOLDER = pathlib.Path(os.environ["DATA_DIR"])
sys.exit(publish_days.main(os.environ))
"""


def test_the_producers_program_says_what_each_mistake_expects(tmp_path: Path) -> None:
    mistakes = {one.what: one for one in make_mistakes(tmp_path / "mistakes")}
    assert mistakes.keys() > LEFT
    for what in mistakes.keys() - LEFT:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "DATA_DIR": "", "SPEED": "", **mistakes[what].settings},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert judge(mistakes[what], Done(done.returncode, done.stdout, done.stderr)) == []
