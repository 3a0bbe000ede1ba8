"""What the reviews of a threshold's samples say."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.contracts.detectors import DETECTORS
from services.detector.offline.tuning.evidence.bounds import CONFIDENCE, interval, most_of_strata
from services.detector.offline.tuning.evidence.document import ABOVE, Evidence, Sampled, Stratum
from services.detector.offline.tuning.measure import MIN_RARITY


@dataclass(frozen=True)
class Counted:
    """The reviews of a part of a threshold's prints: how many there are, were reviewed, and are true."""

    population: int
    reviewed: int
    true: int


@dataclass(frozen=True)
class Finding:
    """What the reviews say of one threshold.

    Parameters
    ----------
    detector
        Its name.
    above
        The prints that it flags.
    below
        Those that it does not, by stratum.
    symbol_days
        Days of symbols that they are of.
    """

    detector: str
    above: Counted
    below: dict[str, Counted]
    symbol_days: int

    @property
    def share(self) -> float | None:
        """True ones among the reviewed prints above the line; None if none was reviewed."""
        return self.above.true / self.above.reviewed if self.above.reviewed else None

    @property
    def share_between(self) -> tuple[float, float] | None:
        """Between which shares that of all prints above the line lies, with `CONFIDENCE`."""
        if not self.above.reviewed:
            return None
        low, high = interval(self.above.population, self.above.reviewed, self.above.true)
        return low / self.above.population, high / self.above.population

    @property
    def most_missed(self) -> int | None:
        """How many true ones are below the line at most, with `CONFIDENCE`; None if a part has no review."""
        parts = [one for one in self.below.values() if one.population]
        if any(not one.reviewed for one in parts):
            return None
        return most_of_strata([(one.population, one.reviewed, one.true) for one in parts])

    def sentences(self) -> list[str]:
        """Say it in words."""
        title, days = DETECTORS[self.detector].title, max(self.symbol_days, 1)
        sure = f"with {float(CONFIDENCE):.0%} confidence"
        population = self.above.population
        found = [
            f"{title}: {population:,} prints above the line, {population / days:,.3g} per symbol and day."
        ]
        if self.share is not None and self.share_between is not None:
            low, high = self.share_between
            found.append(
                f"Of {self.above.reviewed:,} reviewed, {self.above.true:,} are anomalies: {self.share:.0%}; "
                f"of all above the line between {low:.0%} and {high:.0%}, {sure}."
            )
        below = sum(one.population for one in self.below.values())
        reviewed, true = (
            sum(getattr(one, name) for one in self.below.values()) for name in ("reviewed", "true")
        )
        if below and self.most_missed is not None:
            found.append(
                f"Below it, {true:,} of {reviewed:,} reviewed are: at most {self.most_missed:,} of the "
                f"{below:,} prints that are not flagged, but rarer than once in {10**MIN_RARITY:,.0f} "
                f"trades, {sure}; that is {self.most_missed / days:,.3g} per symbol and day. Nothing is said "
                "of those that are less rare."
            )
        return found


def find(evidence: Evidence, judged: Mapping[str, bool]) -> list[Finding]:
    """Return what reviews say of each threshold.

    Parameters
    ----------
    evidence
        The samples.
    judged
        By `trade_id`, whether the print is an anomaly; others are not reviewed yet.
    """
    return [_finding(one, judged, evidence.symbol_days) for one in evidence.thresholds]


def _finding(one: Sampled, judged: Mapping[str, bool], symbol_days: int) -> Finding:
    counted = {stratum.name: _counted(stratum, judged) for stratum in one.strata}
    above = counted.pop(ABOVE)
    return Finding(one.detector, above, counted, symbol_days)


def _counted(stratum: Stratum, judged: Mapping[str, bool]) -> Counted:
    verdicts = [judged[one] for one in stratum.trade_ids if one in judged]
    return Counted(stratum.population, len(verdicts), sum(verdicts))
