"""Everything that users see is documented, and everything documented exists in the code."""

import re
import sys
from collections.abc import Callable

import pytest

from services.contracts.anomaly import Severity
from services.contracts.detectors import LABELS
from services.contracts.postgres import OWNER_ROLE, READER_ROLE, WRITER_ROLE
from services.contracts.topics import TOPICS
from tests.docs import checks, surface
from tests.docs.compare import undocumented, unknown
from tests.docs.pages import ROOT, all_text, code, first_code, rows

TEXT = all_text()
CODE = code(TEXT)
COMMANDS = surface.commands()
Check = Callable[[str], list[str]]
REFERENCES: list[tuple[str, str, Check]] = [
    ("commands.md", "flag", checks.command_problems),
    ("commands.md", "target", checks.target_problems),
    ("configuration.md", "variable", checks.variable_problems),
    ("metrics.md", "metric", checks.metric_problems),
]
"""Page, column of the names, and the comparison."""

OTHERS_FLAGS = {
    "--add-config", "--alter", "--bootstrap-server", "--topic",  # Kafka's tools
    "--check", "--mode", "--overprovisioned", "--reserve-memory",  # Redpanda
    "--detach", "--wait",  # docker compose
    "--filename", "--from-file", "--namespace",  # kubectl
    "--days", "--only", "--stand-ins",  # programs of the tests and benchmarks
    "--help",
}  # fmt: skip
"""Names of other programs that the pages show."""


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text()


@pytest.mark.parametrize(("name", "column", "check"), REFERENCES)
def test_reference_lists_what_the_code_has(name: str, column: str, check: Check) -> None:
    assert check(page(name)) == []


@pytest.mark.parametrize(("name", "column", "check"), REFERENCES)
def test_no_row_of_a_reference_can_be_left_out(name: str, column: str, check: Check) -> None:
    text = page(name)
    named = {first_code(row[column]) for row in rows(text) if column in row}
    lines = [line for line in text.splitlines() if line.startswith("| `") and first_code(line) in named]
    assert len(lines) > 5
    for line in lines:
        assert check(text.replace(f"{line}\n", "", 1)) != [], line


@pytest.mark.parametrize(
    ("name", "check", "before", "after"),
    [
        ("commands.md", checks.command_problems, "### `tapewatch doctor`", "### `tapewatch nurse`"),
        ("commands.md", checks.command_problems, "| `--runs N` | 1 |", "| `--runs N` | 2 |"),
        ("commands.md", checks.command_problems, "LABELS.csv` | required |", "LABELS.csv` | off |"),
        ("commands.md", checks.target_problems, "| `make bench` |", "| `make benches` |"),
        ("configuration.md", checks.variable_problems, "`TAPEWATCH_INSTANCE`", "`TAPEWATCH_INSTANCES`"),
        ("configuration.md", checks.variable_problems, "| 100,000 |", "| 100,001 |"),
        ("metrics.md", checks.metric_problems, "| counter | `topic` |", "| gauge | `topic` |"),
        ("metrics.md", checks.metric_problems, "| gauge | `partition` |", "| gauge | |"),
        ("metrics.md", checks.metric_problems, "| histogram | | seconds | time of one", "| histogram | | |"),
    ],
)  # fmt: skip
def test_wrong_reference_is_noticed(name: str, check: Check, before: str, after: str) -> None:
    text = page(name)
    assert text.count(before) == 1
    assert check(text.replace(before, after)) != []


def test_every_command_and_flag_has_a_help_text() -> None:
    silent = [name for name, command in COMMANDS.items() if not command.help]
    silent += [
        f"{name} {flag}"
        for name, command in COMMANDS.items()
        for flag, option in surface.flags(command).items()
        if not option.help
    ]
    assert silent == []


def test_every_command_that_a_page_shows_exists() -> None:
    groups = {name.partition(" ")[0] for name in COMMANDS}
    assert unknown(re.compile(r"^tapewatch ([a-z][a-z-]+)(?![\w-])"), CODE, groups) == []


def test_every_flag_that_a_page_shows_exists() -> None:
    ours = {flag for command in COMMANDS.values() for flag in surface.flags(command)}
    assert unknown(re.compile(r"^(--[a-z][a-z-]+)"), CODE, ours | OTHERS_FLAGS) == []


def test_every_variable_that_a_page_shows_exists() -> None:
    assert unknown(surface.VARIABLE, CODE, surface.variables()) == []


def test_every_metric_that_a_page_shows_exists() -> None:
    roles = {OWNER_ROLE, WRITER_ROLE, READER_ROLE}  # which are written alike
    assert unknown(surface.METRIC, CODE, surface.metrics().keys() | roles) == []


def test_every_target_that_a_page_shows_exists() -> None:
    assert unknown(re.compile(r"^make ([a-z][a-z-]*)"), CODE, surface.make_targets()) == []


def test_every_module_that_declares_a_metric_was_asked() -> None:
    surface.metrics()
    assert [name for name in surface.modules_with_metrics() if name not in sys.modules] == []


def test_every_topic_is_documented() -> None:
    assert undocumented(TOPICS, CODE) == []


def test_every_label_and_severity_is_documented() -> None:
    assert undocumented([*LABELS, *Severity], [TEXT]) == []


def test_every_variable_of_the_compose_file_is_documented() -> None:
    assert undocumented(surface.compose_variables(), code(page("containers.md"))) == []
