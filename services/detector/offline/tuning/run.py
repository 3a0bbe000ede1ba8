"""`tapewatch tune`: proposes a profile whose alerts meet a budget for each symbol, from past days."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from services.common.errors import TapewatchError
from services.common.exchange_calendar import ExchangeCalendar
from services.common.process.atomic_file import replaced_when_done
from services.contracts.detectors import DETECTORS
from services.detector.detectors.usual_day import UsualDay, quarter_text
from services.detector.offline.backtest.run import progress_bar
from services.detector.offline.tuning.alerts import Alerts, choose_alerts, count_flagged
from services.detector.offline.tuning.evidence.candidates import find_candidates
from services.detector.offline.tuning.evidence.changes import changes
from services.detector.offline.tuning.evidence.document import check_folder, write_evidence
from services.detector.offline.tuning.evidence.draw import draw
from services.detector.offline.tuning.measure import (
    BY_RARITY,
    Measured,
    measure_days,
    running_by_rarity,
)
from services.detector.offline.tuning.usual_day import LEAST_DAYS, UsualDays, usual_days
from services.detector.profiles.profile import USUAL_DAY, Profile, load_profile
from services.detector.profiles.write import profile_text
from services.sources.base import Source

LARGEST_BUDGET = 100.0
ROUNDS = 4
"""Maximum number of runs after the first; alerts and priors slightly change what detectors learn."""
TOLERANCE = 0.05
"""A rate is close enough if it is below the budget by at most this fraction of it."""
MIN_FLAGS = 5
"""A symbol whose budget allows fewer flagged trades has no alerts of its own: they would be arbitrary."""
ROWS_SHOWN = 40


@dataclass
class Choice:
    """Alerts shared by one symbol, or by all symbols with few trades.

    Parameters
    ----------
    symbols
        The symbols.
    allowed
        Number of their trades that may be flagged.
    alerts
        For each symbol, the best alerts that a run has confirmed.
    flagged
        For each symbol, the number of trades flagged in that run.
    next_alerts
        Alerts that the next run tries.
    is_settled
        Whether more runs would not improve the alerts.
    """

    symbols: list[str]
    allowed: int
    alerts: dict[str, Alerts] = field(default_factory=dict)
    flagged: dict[str, int] = field(default_factory=dict)
    next_alerts: dict[str, Alerts] = field(default_factory=dict)
    is_settled: bool = False


@dataclass(frozen=True)
class Samples:
    """What to draw for people to review: where to write it, by which seed, and how many of each threshold."""

    folder: Path
    seed: int
    count: int


@dataclass(frozen=True)
class Tuned:
    """Result for one symbol: its usual day; alerts and alert rates (per 1,000 trades) before and after."""

    symbol: str
    days: list[str]
    trades: int
    before: float
    after: float
    has_own_alerts: bool
    given: Alerts
    alerts: Alerts
    full_days: int
    usual_day: UsualDay | None

    def a_day(self, per_1000: float) -> float:
        """Return a rate of alerts as a desk counts them: alerts of the symbol in a day."""
        return per_1000 * self.trades / 1000 / max(len(self.days), 1)


def run_tune(
    sources: Sequence[Source],
    budget_per_1000: float,
    profile_name: str | None,
    output: Path,
    samples: Samples | None = None,
) -> int:
    """Propose priors and alerts for each symbol from past days, as a profile ready for `--profile`.

    Parameters
    ----------
    sources
        Past days, any number.
    budget_per_1000
        Maximum number of flagged trades per 1,000, not counting severity `info`.
    profile_name
        The profile to start from: a built-in one or a file; None for the default.
    output
        The YAML file to write; an existing one is replaced only when tuning is complete.
    samples
        What to draw of the prints above and below the new thresholds; None for nothing.

    Raises
    ------
    TapewatchError
        If the budget is invalid, the sources have no trades, the profile has no detector that can be tuned,
        a source cannot be read, or the file cannot be written.
    """
    if not 0 < budget_per_1000 <= LARGEST_BUDGET:
        raise TapewatchError(
            f"The budget of {budget_per_1000:g} per 1,000 trades is out of range.",
            f"Give a number of flagged trades per 1,000 above 0 and at most {LARGEST_BUDGET:g}, such as 0.5.",
        )
    if samples is not None:
        check_folder(samples.folder)
    before = load_profile(profile_name)
    console = Console(stderr=True)
    with replaced_when_done(output) as unfinished:
        profile, tuned = tune(sources, before, budget_per_1000, console)
        profile = profile.model_copy(update={"name": output.stem})
        comments = [
            f"Proposed by `tapewatch tune` for a budget of {budget_per_1000:g} per 1,000 trades, from",
            f"{sum(one.trades for one in tuned):,} trades of {_span(tuned)}, starting from the profile "
            f"{Path(profile_name or 'default').name}.",
            "Rates were measured on these days, without severity info; on other days they will differ.",
        ]
        text = profile_text(
            profile, profile_name or "default", comments, {one.symbol: _line(one) for one in tuned}
        )
        unfinished.write_text(text, encoding="utf-8")
    console.print(_table(tuned, budget_per_1000))
    console.print(_usual_table(tuned))
    console.print(Text(f"What changed since the profile {before.name}", style="bold"))
    for sentence in changes(before, profile):
        console.print(Text(f"  {sentence}"))
    if samples is not None:
        _write_samples(sources, before, profile, samples, console)
    return 0


def _write_samples(
    sources: Sequence[Source], before: Profile, profile: Profile, samples: Samples, console: Console
) -> None:
    with _progress(sources, console, "drawing samples") as on_progress:
        found = find_candidates(sources, profile, on_progress)
    evidence = draw(found, before, profile, samples.seed, samples.count)
    path = write_evidence(evidence, samples.folder)
    console.print(
        Text(
            f"{len(evidence.prints):,} prints to review are in {path}: start the dashboard in its folder, or "
            "the one above, and open the page Tuning. `tapewatch evidence` says what the reviews say."
        )
    )


def tune(
    sources: Sequence[Source], profile: Profile, budget_per_1000: float, console: Console
) -> tuple[Profile, list[Tuned]]:
    """Choose priors and alerts, and confirm them by running again.

    Parameters
    ----------
    sources
        The days.
    profile
        The profile to start from.
    budget_per_1000
        As in `run_tune`.
    console
        Console for the progress.

    Raises
    ------
    TapewatchError
        If there are no trades, or the profile has no detector that can be tuned.
    """
    everywhere = [profile.detectors, *(profile.for_symbol(symbol) for symbol in profile.symbols)]
    if not any(running_by_rarity(detectors) for detectors in everywhere):
        raise _nothing_to_tune(profile)
    before = _run(sources, profile, console, "measuring")
    if not before:
        raise TapewatchError("The files have no trades.", "Give files of past days with trades.")
    volumes = {symbol: one.volumes for symbol, one in before.items()}
    usual = usual_days(volumes, ExchangeCalendar(profile.exchange).missing_ns)
    profile = _with_usual_days(profile, usual)
    given = {
        symbol: {name: p.alert_rarity for name, p in running_by_rarity(profile.for_symbol(symbol)).items()}
        for symbol in before
    }
    if not any(given.values()):
        raise _nothing_to_tune(profile)
    choices = _choices(before, budget_per_1000)
    for choice in choices:
        is_met = _is_close(sum(before[symbol].flagged for symbol in choice.symbols), choice.allowed)
        # Alerts that already meet the budget are kept, so tuning a tuned profile again changes little.
        choice.next_alerts = (
            {symbol: given[symbol] for symbol in choice.symbols} if is_met else _choose(choice, before, given)
        )
    for number in range(ROUNDS):
        trial = _with(profile, before, {s: a for choice in choices for s, a in choice.next_alerts.items()})
        measured = _run(sources, trial, console, f"confirming, run {number + 1}")
        for choice in choices:
            _settle(choice, measured, given)
        if all(choice.is_settled for choice in choices):
            break
    alerts = {symbol: own for choice in choices for symbol, own in choice.alerts.items()}
    flagged = {symbol: count for choice in choices for symbol, count in choice.flagged.items()}
    tuned = [
        Tuned(
            symbol=symbol,
            days=one.days,
            trades=one.trades,
            before=1000 * one.flagged / one.trades,
            after=1000 * flagged[symbol] / one.trades,
            has_own_alerts=budget_per_1000 * one.trades / 1000 >= MIN_FLAGS,
            given=given[symbol],
            alerts=alerts[symbol],
            full_days=usual.days[symbol],
            usual_day=profile.usual_day_of(symbol) if symbol in usual.of_symbol else None,
        )
        for symbol, one in before.items()
    ]
    return _with(profile, before, alerts), tuned


def _nothing_to_tune(profile: Profile) -> TapewatchError:
    return TapewatchError(
        f"The profile {profile.name} has no detector that can be tuned.",
        f"Start from a profile with at least one of {', '.join(BY_RARITY)}, such as default.",
    )


def _run(sources: Sequence[Source], profile: Profile, console: Console, title: str) -> dict[str, Measured]:
    with _progress(sources, console, title) as on_progress:
        return measure_days(sources, profile, on_progress)


@contextmanager
def _progress(
    sources: Sequence[Source], console: Console, title: str
) -> Iterator[Callable[[Source, int], None]]:
    """Show a bar, and return what moves it."""
    with progress_bar(console) as bar:
        sizes = [source.size for source in sources]
        task = bar.add_task(title, total=None if None in sizes else sum(filter(None, sizes)))
        done: dict[int, int] = {}

        def on_progress(source: Source, position: int) -> None:
            done[id(source)] = position
            bar.update(task, completed=sum(done.values()), description=f"{title}: {source.name}")

        yield on_progress


def _choices(measured: dict[str, Measured], budget_per_1000: float) -> list[Choice]:
    """Return a choice for each symbol, and a common one for symbols with few trades."""
    choices, few = [], []
    for symbol, one in measured.items():
        allowed = budget_per_1000 * one.trades / 1000
        if allowed >= MIN_FLAGS:
            choices.append(Choice([symbol], int(allowed)))
        else:
            few.append(symbol)
    if few:
        trades = sum(measured[symbol].trades for symbol in few)
        choices.append(Choice(few, int(budget_per_1000 * trades / 1000)))
    return choices


def _choose(
    choice: Choice, measured: dict[str, Measured], given: dict[str, Alerts], beside: int = 0
) -> dict[str, Alerts]:
    """Choose alerts from what was measured; keep the `given` ones if there is too little data.

    `beside` is the number of flagged trades not covered by rarities: a burst flags again when it grows.
    """
    if choice.allowed < MIN_FLAGS:
        return {symbol: given[symbol] for symbol in choice.symbols}
    alerts = choose_alerts(
        _rarities(choice, measured), list(BY_RARITY), _start(choice, given), choice.allowed - beside
    )
    return {symbol: {detector: alerts[detector] for detector in given[symbol]} for symbol in choice.symbols}


def _settle(choice: Choice, measured: dict[str, Measured], given: dict[str, Alerts]) -> None:
    """Evaluate a run with the next alerts, and choose the alerts to try after it."""
    if choice.is_settled:
        return
    flagged = {symbol: measured[symbol].flagged for symbol in choice.symbols}
    total = sum(flagged.values())
    # Best is the most within the budget, otherwise the least over it.
    excess, best_excess = total - choice.allowed, sum(choice.flagged.values()) - choice.allowed
    is_better = (excess <= 0, -abs(excess)) > (best_excess <= 0, -abs(best_excess))
    if not choice.flagged or is_better:
        choice.alerts, choice.flagged = choice.next_alerts, flagged
    tried = choice.next_alerts
    predicted = count_flagged(_rarities(choice, measured), list(BY_RARITY), _start(choice, tried))
    choice.next_alerts = _choose(choice, measured, given, beside=total - predicted)
    choice.is_settled = _is_close(total, choice.allowed) or choice.next_alerts == tried


def _is_close(flagged: int, allowed: int) -> bool:
    return 0 <= allowed - flagged <= max(1, TOLERANCE * allowed)


def _rarities(choice: Choice, measured: dict[str, Measured]) -> np.ndarray:
    return np.concatenate([measured[symbol].rarities for symbol in choice.symbols])


def _start(choice: Choice, alerts: dict[str, Alerts]) -> Alerts:
    """Return the common alerts of symbols: the first symbol's, and those of others for detectors it lacks."""
    return {
        detector: alert for symbol in reversed(choice.symbols) for detector, alert in alerts[symbol].items()
    }


def _with(profile: Profile, measured: dict[str, Measured], alerts: dict[str, Alerts]) -> Profile:
    """Return the profile with priors and alerts for each symbol in place of its own."""
    symbols = {symbol: dict(own) for symbol, own in profile.symbols.items()}
    for symbol, one in measured.items():
        own = symbols.setdefault(symbol, {})
        for detector, alert in alerts[symbol].items():
            own[detector] = {
                **(own.get(detector) or {}),
                **one.priors.get(detector, {}),
                "alert_rarity": alert,
            }
    return profile.model_copy(update={"symbols": symbols})


def _with_usual_days(profile: Profile, usual: UsualDays) -> Profile:
    """Return the profile with usual days in place of its own, where there are any."""
    symbols = {symbol: dict(own) for symbol, own in profile.symbols.items()}
    for symbol, day in usual.of_symbol.items():
        symbols.setdefault(symbol, {})[USUAL_DAY] = {
            name: int(value) if isinstance(value, float) and value.is_integer() else value
            for name, value in day.model_dump(exclude_none=True).items()
        }
    return profile.model_copy(update={"symbols": symbols, USUAL_DAY: usual.of_all or profile.usual_day})


def _span(tuned: list[Tuned]) -> str:
    days = sorted({day for one in tuned for day in one.days if day})
    if not days:
        return "all days"
    return ", ".join(days) if len(days) <= 5 else f"{len(days)} days from {days[0]} to {days[-1]}"


def _line(one: Tuned) -> str:
    days = f"{len(one.days)} day{'s' if len(one.days) != 1 else ''}"
    shared = "" if one.has_own_alerts else "; too few trades for alerts of its own"
    usual = "" if one.usual_day else f"; too few full days ({one.full_days} of {LEAST_DAYS}) for a usual day"
    return (
        f"{one.trades:,} trades of {days}; flagged per 1,000: {one.before:.3f} before, {one.after:.3f} "
        f"with these, {one.a_day(one.after):.3g} a day{shared}{usual}"
    )


def _table(tuned: list[Tuned], budget_per_1000: float) -> Table:
    table = Table(
        title=f"Flagged per 1,000 trades, for a budget of {budget_per_1000:g}",
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        caption_justify="left",
    )
    table.add_column("symbol")
    for name in (
        "trades",
        "before",
        "after",
        "a day",
        *(f"{DETECTORS[one].short_title} alert" for one in BY_RARITY),
    ):
        table.add_column(name, justify="right")
    for one in tuned[:ROWS_SHOWN]:
        table.add_row(
            Text(one.symbol),
            f"{one.trades:,}",
            f"{one.before:.3f}",
            Text(f"{one.after:.3f}", style="green" if one.after <= budget_per_1000 else "yellow"),
            f"{one.a_day(one.before):,.1f} → {one.a_day(one.after):,.1f}",
            *(_moved(one, detector) for detector in BY_RARITY),
        )
    if len(tuned) > ROWS_SHOWN:
        table.caption = f"and {len(tuned) - ROWS_SHOWN:,} more"
    return table


def _usual_table(tuned: list[Tuned]) -> Table:
    table = Table(
        title="Usual day, from the full days",
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
    )
    table.add_column("symbol")
    for name in ("full days", "moments", "shares", "busiest quarter of an hour"):
        table.add_column(name, justify="right")
    for one in tuned[:ROWS_SHOWN]:
        day, curve = one.usual_day, one.usual_day.curve if one.usual_day else ()
        busiest = max(range(len(curve)), key=curve.__getitem__, default=0)
        table.add_row(
            Text(one.symbol),
            f"{one.full_days}",
            f"too few: {LEAST_DAYS} are needed" if day is None else f"{day.moments or 0:,.0f}",
            "" if day is None else f"{day.shares or 0:,.0f}",
            f"{quarter_text(busiest)}: {curve[busiest]:.1%}"
            if curve
            else "that of all symbols"
            if day
            else "",
        )
    return table


def _moved(one: Tuned, detector: str) -> str:
    if detector not in one.alerts:
        return "off"
    before, after = one.given[detector], one.alerts[detector]
    return f"{after:g}" if before == after else f"{before:g} → {after:g}"
