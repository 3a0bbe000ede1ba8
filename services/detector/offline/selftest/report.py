"""What `tapewatch selftest` shows."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from services.contracts.iso_time import iso_ns
from services.detector.profiles.profile import Profile
from services.detector.selftest.trial import Outcome, Trial

STYLES = {
    Outcome.FIRED: "green",
    Outcome.WAITING: "yellow",
    Outcome.QUIET: "bold red",
    Outcome.HELD_BACK: "bold red",
    Outcome.WRONG_VALUE: "bold red",
}


@dataclass
class Result:
    """What was found of one detector: the trial that counts, its symbol, and when it was, ns since 1970."""

    trial: Trial
    symbol: str = ""
    at_ns: int = 0

    def take(self, trial: Trial, symbol: str, at_ns: int) -> None:
        """Take a trial into account: one that fired counts before one that failed, and that before others."""
        if trial.outcome is not Outcome.WAITING or not self.trial.outcome.is_failure:
            self.trial, self.symbol, self.at_ns = trial, symbol, at_ns


def selftest_table(results: Sequence[Result]) -> Table:
    """Lay results out, one a row."""
    table = Table(box=None, padding=(0, 2), header_style="bold")
    for name in ("Label", "Result", "Symbol", "At (UTC)", "Prints", "What it said"):
        table.add_column(
            name,
            justify="right" if name == "Prints" else "left",
            overflow="fold",
            min_width=20 if name in ("Label", "What it said") else None,
            no_wrap=name in ("Result", "Symbol", "Prints"),
        )
    for result in results:
        trial = result.trial
        table.add_row(
            trial.label,
            Text("no occasion" if trial.outcome is Outcome.WAITING else trial.outcome, STYLES[trial.outcome]),
            result.symbol,
            iso_ns(result.at_ns)[:19].replace("T", " ") if result.at_ns else "",
            f"{trial.prints:,}" if trial.prints else "",
            Text(trial.note),
        )
    return table


def summary(results: Sequence[Result], profile: Profile, is_generated: bool) -> Text:
    """Say in a sentence or two what the table means."""
    fired = sum(result.trial.outcome is Outcome.FIRED for result in results)
    failed = [result.trial.label for result in results if result.trial.outcome.is_failure]
    waiting = [result.trial.label for result in results if result.trial.outcome is Outcome.WAITING]
    where = "a generated day" if is_generated else "these trades"
    text = (
        f"{fired} of {len(results)} labels of the profile {profile.name} ({profile.hash}) fired in {where}."
    )
    if failed:
        text += f" Did not fire: {', '.join(failed)}."
    if waiting:
        text += f" No occasion: {', '.join(waiting)}."
    return Text(text, style="bold red" if failed else "")
