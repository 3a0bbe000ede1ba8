"""What the selftest of running detectors says, from their metrics; for whoever shows it."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.common.durations import duration_text
from services.common.observability.samples import Samples

PERIODS_LATE_S = 1_800.0
"""A selftest that has ended no round for so long does not run; rounds usually begin every five minutes."""

OTHER_CHECKS = ("state", "profile")
"""Checks that are no labels."""


@dataclass(frozen=True)
class LabelTest:
    """One label, or another check of the selftest, over all detectors.

    Parameters
    ----------
    check
        The label, `state` or `profile`.
    is_failing
        Whether it fails in a detector.
    symbol, fired_s
        For which symbol a planted anomaly fired last, and when, in seconds since 1970; empty and None before.
    """

    check: str
    is_failing: bool
    symbol: str = ""
    fired_s: float | None = None

    def sentence(self, now_s: float) -> str:
        """Say it for people, such as `Off-Market Price: NVDA fired 41 s ago`."""
        fired = (
            "" if self.fired_s is None else f"{self.symbol} fired {duration_text(now_s - self.fired_s)} ago"
        )
        if self.is_failing:
            return f"{self.check}: failing{f'; {fired}' if fired else ''}"
        return f"{self.check}: {fired or ('passes' if self.check in OTHER_CHECKS else 'not planted yet')}"


@dataclass(frozen=True)
class SelftestHealth:
    """The selftest of all running detectors.

    Parameters
    ----------
    tests
        Each label and check, in the order in which a detector shows them.
    last_round_s
        When a round was over last, in seconds since 1970, in the detector in which that is longest ago; None
        before the first.
    stalled_partitions, silent_symbols
        What the watchdog has noticed.
    """

    tests: tuple[LabelTest, ...]
    last_round_s: float | None
    stalled_partitions: int
    silent_symbols: int

    @property
    def failing(self) -> list[str]:
        """The labels and checks that fail."""
        return [test.check for test in self.tests if test.is_failing]

    def is_late(self, now_s: float) -> bool:
        """Whether rounds have stopped."""
        return self.last_round_s is not None and now_s - self.last_round_s > PERIODS_LATE_S


def selftest_health(detectors: Sequence[Samples]) -> SelftestHealth | None:
    """Return what running detectors say; None if none of them tests itself."""

    def values(name: str) -> list[tuple[dict[str, str], float]]:
        return [one for samples in detectors for one in samples.get(f"tapewatch_{name}", ())]

    failing: dict[str, bool] = {}
    for labels, value in values("selftest_failing"):
        failing[labels["check"]] = failing.get(labels["check"], False) or value > 0
    if not failing:
        return None
    fired: dict[str, tuple[float, str]] = {}
    for labels, value in values("selftest_fired_timestamp_seconds"):
        fired[labels["label"]] = max(fired.get(labels["label"], (0.0, "")), (value, labels["symbol"]))
    rounds = [value for _, value in values("selftest_last_round_timestamp_seconds") if value]
    return SelftestHealth(
        tests=tuple(
            LabelTest(check, is_failing, *_fired(fired.get(check))) for check, is_failing in failing.items()
        ),
        last_round_s=min(rounds, default=None),
        stalled_partitions=int(max((value for _, value in values("stalled_partitions")), default=0)),
        silent_symbols=int(sum(value for _, value in values("silent_symbols"))),
    )


def _fired(known: tuple[float, str] | None) -> tuple[str, float | None]:
    return ("", None) if known is None else (known[1], known[0])
