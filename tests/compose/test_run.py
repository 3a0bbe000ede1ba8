from io import StringIO

import pytest
from rich.console import Console

from tests.compose.containers_seen import container
from tests.compose.engine import Container
from tests.compose.faults import Act, Fault, Healing
from tests.compose.mistakes import Answer
from tests.compose.report import faults_table, mistakes_table
from tests.compose.run import not_well
from tests.compose.stack import ROOT, ComposeStack


def wells(monkeypatch: pytest.MonkeyPatch, *found: Container) -> list[str]:
    """Return what is said about containers."""
    monkeypatch.setattr(ComposeStack, "containers", lambda _: {one.name: one for one in found})
    return [str(one) for one in not_well(ComposeStack(ROOT))]


def test_services_that_run_on_must_be_healthy_and_the_others_have_ended_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    setup = container("setup", state="exited", health="")
    assert wells(monkeypatch, setup, container("indexer")) == []
    failed = container("setup", state="exited", health="", exit_code=1)
    sick = container("indexer", health="unhealthy")
    assert wells(monkeypatch, failed, sick) == [
        "tapewatch-test-indexer-1: not well: running, unhealthy, 0",
        "tapewatch-test-setup-1: not well: exited, no health, 1",
    ]


def test_the_tables_have_a_row_for_each_fault_and_mistake() -> None:
    console = Console(width=120, record=True, file=StringIO())
    console.print(faults_table([Healing(Fault("indexer", Act.KILL), 0.25, 12.34, 15.0)]))
    console.print(mistakes_table([Answer("SPEED=0", "Error: SPEED is '0'.", 1)]))
    text = console.export_text()
    for cells in (["indexer", "kill", "25", "12.3", "15.0"], ["SPEED=0", "Error: SPEED is '0'.", "1"]):
        assert any(all(cell in line for cell in cells) for line in text.splitlines())
