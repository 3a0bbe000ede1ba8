"""Metrics of the selftest and the watchdog."""

from collections.abc import Container, Iterable

from prometheus_client import Counter, Gauge

from services.contracts.detectors import DETECTORS
from services.detector.selftest.trial import Trial

TRIALS = Counter(
    "tapewatch_selftest_trials_total", "Anomalies planted, by what became of them", ["label", "outcome"]
)
FAILING = Gauge("tapewatch_selftest_failing", "1 while a check fails, else 0", ["check"])
FIRED = Gauge(
    "tapewatch_selftest_fired_timestamp_seconds",
    "When a planted anomaly of a label fired last, and for which symbol",
    ["label", "symbol"],
)
LAST_ROUND = Gauge("tapewatch_selftest_last_round_timestamp_seconds", "When the last round was over")
SECONDS = Counter("tapewatch_selftest_seconds_total", "Time that the selftest has taken")
SILENT_SYMBOLS = Gauge("tapewatch_silent_symbols", "Symbols that should be printing and are not")
STALLED_PARTITIONS = Gauge(
    "tapewatch_stalled_partitions", "Partitions of `trades` with messages that nobody works off"
)

_newest: dict[str, str] = {}
"""The symbol that each label is shown with; the series of others are removed."""
_checks: list[str] = []


def title_of(check: str) -> str:
    """Return how people know a check: a detector's title, or its name."""
    return DETECTORS[check].title if check in DETECTORS else check


def show_checks(checks: Iterable[str]) -> None:
    """Show checks as passing until something is known."""
    _checks[:] = checks
    show_failing(())


def show_failing(failing: Container[str]) -> None:
    """Show which of the checks fail."""
    for check in _checks:
        FAILING.labels(title_of(check)).set(check in failing)


def show_fired(detector: str, symbol: str, at_s: float) -> None:
    """Show when a detector's label fired last, in seconds since 1970."""
    label = title_of(detector)
    before = _newest.get(label)
    if before is not None and before != symbol:
        FIRED.remove(label, before)
    _newest[label] = symbol
    FIRED.labels(label, symbol).set(at_s)


def count(trial: Trial) -> None:
    """Count a trial."""
    TRIALS.labels(trial.label, trial.outcome).inc()
