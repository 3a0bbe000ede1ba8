"""What somebody does wrong at the first use: what is said must name it, once, and end the producer."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.verify import Violation
from tests.compose.engine import Done
from tests.compose.stack import ComposeStack
from tests.samples import row, write_csv

SHOWN_CHARACTERS = 600
"""Of an answer that is not as it should be."""

CLOSED = "closed"
"""Folder that only a user with all rights may open."""


@dataclass(frozen=True)
class Mistake:
    """Settings that cannot work.

    Parameters
    ----------
    what
        What was done.
    settings
        Of `docker compose up`.
    named
        What the error must say.
    """

    what: str
    settings: Mapping[str, str]
    named: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """What was said to a mistake, in lines, and the exit code."""

    what: str
    said: str
    code: int


def make_mistakes(folder: Path) -> list[Mistake]:
    """Return the mistakes; the files that they name are written into a new folder."""
    folders = {name: folder / name for name in ("good", "empty", "other", CLOSED, "closed-file", "broken")}
    for path in folders.values():
        path.mkdir(parents=True)
        path.chmod(0o755)
    for name in ("good", CLOSED, "closed-file"):
        write_csv(folders[name] / "day.csv", [row(1)]).chmod(0o644)
    for name in ("README.md", "report.pdf"):
        (folders["other"] / name).write_text("no trades")
    (folders["broken"] / "notes.csv").write_text("when,what\ntoday,nothing\n")
    (folders["broken"] / "notes.csv").chmod(0o644)
    folders[CLOSED].chmod(0)
    (folders["closed-file"] / "day.csv").chmod(0)
    file, missing = folders["good"] / "day.csv", folder / "missing"
    empty, closed, closed_file = folders["empty"], folders[CLOSED], folders["closed-file"]
    return [
        _data("is a file", file, f"DATA_DIR is a file: {file}.", "Name the folder"),
        _data("does not exist", missing, "bind source path does not exist", str(missing)),
        _data("is empty", empty, f"no files of trades in DATA_DIR, {empty}.", "It is empty."),
        _data("may not be opened", closed, f"cannot read DATA_DIR, {closed}", "chmod -R a+rX"),
        _data("has a file that may not be read", closed_file, "no access to day.csv", "chmod -R a+rX"),
        _data("has only other files", folders["other"], "It has README.md, report.pdf.", "end in .csv"),
        _data("has a CSV file of something else", folders["broken"], "notes.csv is not a file of trades"),
        *(_speed(text) for text in ("fast", "0", "-60", "1,5", "nan")),
    ]


def _data(what: str, path: Path, *named: str) -> Mistake:
    return Mistake(f"DATA_DIR {what}", {"DATA_DIR": str(path)}, named)


def _speed(text: str) -> Mistake:
    return Mistake(f"SPEED={text}", {"SPEED": text}, (f"SPEED is '{text}'.", "Give a number above 0"))


def make_all(stack: ComposeStack, folder: Path) -> tuple[list[Answer], list[Violation]]:
    """Make each mistake; the other services need not run, as none must be asked for anything."""
    answers, violations = [], []
    for mistake in make_mistakes(folder):
        done = stack.attempt("run", "--rm", "--no-deps", "-T", "producer", **mistake.settings)
        answers.append(Answer(mistake.what, error_of(done.said), done.code))
        violations += judge(mistake, done)
    (folder / CLOSED).chmod(0o700)  # so that it can be removed
    return answers, violations


def judge(mistake: Mistake, done: Done) -> list[Violation]:
    """Report what is wrong with an answer: it must have exit code 1 and name the mistake, once."""
    problems = [f"does not say {text!r}" for text in mistake.named if text not in done.said]
    problems += [f"says {text!r} again" for text in mistake.named if done.said.count(text) > 1]
    if done.code != 1:
        problems.append(f"exit code {done.code}")
    if not problems:
        return []
    said = f"it says: {done.said[-SHOWN_CHARACTERS:]}"
    return [Violation(mistake.what, "not said well", len(problems), (*problems, said))]


def error_of(said: str) -> str:
    """Return the lines of an output from the first on that is an error."""
    lines = said.strip().splitlines()
    first = next((number for number, line in enumerate(lines) if "rror" in line), 0)
    return " ".join(line.strip() for line in lines[first:])
