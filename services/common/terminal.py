"""What looks the same in every terminal report."""

import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

from rich import box
from rich.table import Table
from rich.text import Text

from services.contracts.anomaly import Severity
from services.contracts.trade import size_text

SEVERITY_STYLES = {
    Severity.CRITICAL: "bold white on red",
    Severity.HIGH: "bold red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "cyan",
    Severity.INFO: "dim",
}
"""rich styles, from the most urgent to the least."""

# Controls, invisible marks that turn the writing direction, line ends other than \n, half surrogates.
_INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def visible(text: str, keep: str = "") -> str:
    r"""Write what a terminal would obey or hide as an escape, such as `\x1b`; `keep` stays as it is."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char.encode("unicode_escape").decode()
        if unicodedata.category(char) in _INVISIBLE and char not in keep
        else char
        for char in text
    )


class Striking(NamedTuple):
    """An anomaly as a report lists it; `time` is text for people."""

    label: str
    symbol: str
    time: str
    price: float
    size: float
    score: float
    severity: Severity
    message: str


def striking_table(title: str, anomalies: Iterable[Striking]) -> Table:
    """Return a table of the most striking anomalies, one per row."""
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, show_lines=True)
    table.add_column("trade", no_wrap=True)
    table.add_column("severity", no_wrap=True)
    table.add_column("why", overflow="fold")
    for anomaly in anomalies:
        table.add_row(
            Text.assemble(
                (f"{anomaly.symbol} ", "bold"),
                f"{size_text(anomaly.size)} at {anomaly.price:,.10g}\n",
                (anomaly.time, "dim"),
            ),
            Text.assemble(
                (f"{anomaly.severity}\n", SEVERITY_STYLES[anomaly.severity]), (f"{anomaly.score:.3f}", "dim")
            ),
            Text(anomaly.message),
        )
    return table
