"""Everything that a user sees is documented, and nothing that is documented is missing from the code."""

import re
import sys

import pytest

from services.contracts.anomaly import Severity
from services.contracts.detectors import LABELS
from services.contracts.topics import TOPICS
from tests.docs import surface
from tests.docs.compare import differences, same_default, undocumented, unknown
from tests.docs.pages import ROOT, all_text, code, first_code, headings, rows, section

TEXT = all_text()
CODE = code(TEXT)
COMMANDS = surface.commands()
COMMANDS_PAGE = (ROOT / "docs" / "commands.md").read_text()
METRICS_PAGE = (ROOT / "docs" / "metrics.md").read_text()
CONFIGURATION_PAGE = (ROOT / "docs" / "configuration.md").read_text()

OTHERS_FLAGS = {
    "--add-config", "--alter", "--bootstrap-server", "--topic",  # Kafka's tools
    "--check", "--mode", "--overprovisioned", "--reserve-memory",  # Redpanda
    "--detach", "--wait",  # docker compose
    "--days", "--only", "--stand-ins",  # programs of the tests and benchmarks
    "--help",
}  # fmt: skip
"""What the pages show of other programs."""


def test_every_command_has_its_section() -> None:
    titles = [title for title in headings(COMMANDS_PAGE) if title.startswith("`tapewatch")]
    named = [re.sub(r" \[?[A-Z].*", "", first_code(title)).removeprefix("tapewatch ") for title in titles]
    assert differences(named, COMMANDS) == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_flag_is_documented_with_its_default(name: str) -> None:
    table = rows(_section_of(name))
    defaults = {first_code(row["flag"]).split()[0]: row["default"] for row in table}
    flags = surface.flags(COMMANDS[name])
    assert differences(defaults, flags) == []
    for flag, option in flags.items():
        assert same_default(defaults[flag], option.default), f"{flag}: {option.default}"
        assert not option.required or defaults[flag] == "required", flag


def _section_of(name: str) -> str:
    """Return a command's section; `tapewatch x` is not `tapewatch x-y`."""
    titles = [
        title
        for title in headings(COMMANDS_PAGE)
        if re.match(rf"`tapewatch {re.escape(name)}(?: \[?[A-Z].*)?`$", title)
    ]
    assert len(titles) == 1, titles
    return section(COMMANDS_PAGE, titles[0])


def test_every_command_that_a_page_shows_exists() -> None:
    groups = {name.partition(" ")[0] for name in COMMANDS}
    assert unknown(re.compile(r"^tapewatch ([a-z][a-z-]+)(?![\w-])"), CODE, groups) == []


def test_every_flag_that_a_page_shows_exists() -> None:
    ours = {flag for command in COMMANDS.values() for flag in surface.flags(command)}
    assert unknown(re.compile(r"^(--[a-z][a-z-]+)"), CODE, ours | OTHERS_FLAGS) == []


def test_every_variable_is_in_the_configuration() -> None:
    documented = {first_code(row["variable"]): row["default"] for row in rows(CONFIGURATION_PAGE)}
    assert differences(documented, surface.variables()) == []
    for name, default in surface.settings().items():
        assert same_default(documented[name], default), f"{name}: {default}"


def test_every_variable_that_a_page_shows_exists() -> None:
    assert unknown(surface.VARIABLE, CODE, surface.variables()) == []


def test_every_metric_is_documented_with_type_and_labels() -> None:
    documented = {
        first_code(row["metric"]): (row["type"], tuple(re.findall(r"`(\w+)`", row["labels"])))
        for row in rows(METRICS_PAGE)
        if "type" in row
    }
    real = surface.metrics()
    assert differences(documented, real) == []
    assert documented == real
    for row in rows(METRICS_PAGE):
        assert "type" not in row or row["unit"] or row["type"] == "info"


def test_every_module_that_declares_a_metric_was_asked() -> None:
    surface.metrics()
    assert [name for name in surface.modules_with_metrics() if name not in sys.modules] == []


def test_every_metric_that_a_page_shows_exists() -> None:
    assert unknown(surface.METRIC, CODE, surface.metrics()) == []


def test_every_target_is_documented() -> None:
    documented = {
        first_code(row["target"]).removeprefix("make ")
        for row in rows(section(COMMANDS_PAGE, "Make targets"))
    }
    assert differences(documented, surface.make_targets()) == []


def test_every_target_that_a_page_shows_exists() -> None:
    assert unknown(re.compile(r"^make ([a-z][a-z-]*)"), CODE, surface.make_targets()) == []


def test_every_topic_is_documented() -> None:
    assert undocumented(TOPICS, CODE) == []


def test_every_label_and_severity_is_documented() -> None:
    assert undocumented([*LABELS, *Severity], [TEXT]) == []


def test_every_variable_of_the_compose_file_is_documented() -> None:
    page = (ROOT / "docs" / "containers.md").read_text()
    assert undocumented(surface.compose_variables(), code(page)) == []
