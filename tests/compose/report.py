"""The tables at the end of the test."""

from collections.abc import Sequence

from rich import box
from rich.table import Table

from tests.compose.faults import Healing
from tests.compose.mistakes import Answer


def faults_table(healings: Sequence[Healing]) -> Table:
    """Return what was done to which container, and how many seconds later all was well again."""
    table = Table(box=box.SIMPLE, title="Faults", title_justify="left")
    for title in ("container", "fault"):
        table.add_column(title)
    for title in ("% of the day", "healthy again after s", "trades pass after s"):
        table.add_column(title, justify="right")
    for one in healings:
        table.add_row(
            one.fault.service,
            one.fault.act.value,
            f"{100 * one.share:.0f}",
            f"{one.healthy_s:.1f}",
            f"{one.passed_s:.1f}",
        )
    return table


def mistakes_table(answers: Sequence[Answer]) -> Table:
    """Return what was done wrong, and what is said to it."""
    table = Table(box=box.SIMPLE, title="Mistakes", title_justify="left")
    for title in ("what was done", "what is said"):
        table.add_column(title, overflow="fold")
    table.add_column("exit code", justify="right")
    for one in answers:
        table.add_row(one.what, one.said, str(one.code))
    return table
