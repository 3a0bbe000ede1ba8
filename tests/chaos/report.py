"""The report of a run for the terminal: the log of faults, the totals, and the violations."""

import statistics
from collections import Counter

from rich import box
from rich.console import Group, JustifyMethod, RenderableType
from rich.table import Table
from rich.text import Text

from tests.chaos.checkpoints import Recoveries
from tests.chaos.conductor import Strike
from tests.chaos.schedule import Act, Victim
from tests.chaos.verify import Violation

COUNTED = ("lost", "doubled", "different", "unknown", "out of order")


def faults_table(strikes: list[Strike], trades: int) -> Table:
    """Return the log of faults; `trades` is how many the day has."""
    table = Table(box=box.SIMPLE, title="Faults", title_justify="left")
    columns: tuple[tuple[str, JustifyMethod], ...] = (
        ("#", "right"),
        ("at s", "right"),
        ("what", "left"),
        ("whom", "left"),
        ("pid", "right"),
        ("trades passed", "right"),
        ("%", "right"),
        ("back after s", "right"),
        ("", "left"),
    )
    for title, justify in columns:
        table.add_column(title, justify=justify)
    for strike in strikes:
        table.add_row(
            str(strike.fault.number),
            f"{strike.at_s:.1f}",
            strike.fault.act.value,
            strike.victim.value,
            str(strike.pid),
            f"{strike.passed:,}",
            f"{100 * strike.passed / trades:.0f}",
            "-" if strike.back_s is None else f"{strike.back_s:.1f}",
            strike.note,
        )
    return table


def totals(strikes: list[Strike], recoveries: Recoveries, violations: list[Violation]) -> Text:
    """Return the totals: kills and pauses by victim, what was replayed, and what is wrong in the data."""
    parts = []
    for act in Act:
        counts = Counter(strike.victim for strike in strikes if strike.fault.act is act)
        who = ", ".join(f"{victim} {counts[victim]}" for victim in Victim if counts[victim])
        parts.append(f"{act.value}: {counts.total()}" + (f" ({who})" if who else ""))
    parts.append(
        f"checkpoints: {recoveries.checkpoints:,}; partitions with trades assigned {recoveries.assignments} "
        f"times, at most {recoveries.most_replayed:,} messages replayed; from a checkpoint after a restart "
        f"{recoveries.after_restart} times"
    )
    wrong: Counter[str] = Counter()
    for violation in violations:
        wrong[violation.kind] += violation.count
    parts.append(", ".join(f"{kind} {wrong[kind]:,}" for kind in COUNTED))
    return Text("\n".join(parts))


def outages_summary(healed_s: list[float]) -> Text:
    """Return how many outages were healed, and how long that took from the start of the servers."""
    if not healed_s:
        return Text("no outage healed")
    times = f"median {statistics.median(healed_s):.0f} s, at most {max(healed_s):.0f} s"
    return Text(f"outages healed: {len(healed_s)}; after the start of the servers {times}")


def conclusion(violations: list[Violation], logs: dict[str, str], seconds: float) -> RenderableType:
    """Return the result; if there are violations, all of them and the ends of the logs."""
    if not violations:
        return Text(f"No violation, {seconds:.0f} s.", style="bold green")
    shown: list[RenderableType] = [
        Text(f"{len(violations)} kinds of violation, {seconds:.0f} s:", "bold red")
    ]
    shown += [Text(f"  {violation}") for violation in violations]
    for name, tail in logs.items():
        shown += [Text(f"\nEnd of {name}:", style="bold"), Text(tail, style="dim")]
    return Group(*shown)
