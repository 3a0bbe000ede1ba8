"""What the detector said of the prints that venues cancelled or reported in error: the only real labels."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from services.contracts.anomaly import Anomaly, Severity
from services.contracts.correction import Correction
from services.contracts.trade import Trade
from services.detector.engine.growth import Found

TAKEN_BACK = ("cancel", "error")
"""Actions that say that a print never was a trade; a `correct` print was one, with other values."""


class Unusable(StrEnum):
    """Why a correction says nothing about the detector."""

    UNREADABLE = "not a correction that can be read"
    NO_TRADE = "the venue's reference fits no trade, or several (trade_id is null)"
    REPLACED = "a later correction of the same trade counts"
    CORRECTED = "corrected to other values, not taken back"
    NOT_READ = "its trade is not among those that were read"
    NOT_ELIGIBLE = "the price of its trade is not eligible, so nothing judges it"
    UNJUDGED = "its trade was not judged: a repeat, or too late"


@dataclass(frozen=True)
class CancelledPrint:
    """A print that its venue took back, and what the detector said of it.

    Parameters
    ----------
    trade_id, time, symbol, price, size
        The trade's.
    action
        `cancel` or `error`.
    distance_percent
        How far its price is from the last one before it that may be compared and was not taken back itself;
        None if there is none, or it is 0.
    labels
        The anomaly's; empty if the print was not flagged.
    severity
        The anomaly's; None if the print was not flagged.
    """

    trade_id: str
    time: str
    symbol: str
    price: float
    size: float
    action: str
    distance_percent: float | None
    labels: list[str] = field(default_factory=list)
    severity: Severity | None = None

    @property
    def is_found(self) -> bool:
        """Whether it raised an alert; `info` is outside any alert budget."""
        return self.severity not in (None, Severity.INFO)


@dataclass
class _Stretch:
    """An anomaly, and the places of its first and last print among all trades."""

    symbol: str
    last: int
    anomaly: Anomaly


@dataclass(frozen=True)
class CancelsOutcome:
    """What came of all corrections: each one is found, missed or unusable.

    Parameters
    ----------
    trades, flagged
        How many trades were read, and how many anomalies they had, `info` aside.
    found, missed
        The cancelled prints, in the order of the tape.
    unusable
        How many corrections say nothing, by reason; only reasons that occur.
    """

    trades: int
    flagged: int
    found: list[CancelledPrint]
    missed: list[CancelledPrint]
    unusable: dict[Unusable, int]

    @property
    def corrections(self) -> int:
        """How many corrections there were."""
        return len(self.found) + len(self.missed) + sum(self.unusable.values())

    @property
    def share_found(self) -> float | None:
        """Share of the cancelled prints that were found; None without any."""
        usable = len(self.found) + len(self.missed)
        return len(self.found) / usable if usable else None

    @property
    def flagged_per_1000(self) -> float:
        """Alerts per 1,000 trades."""
        return 1000 * self.flagged / self.trades if self.trades else 0.0


class Cancels:
    """Compares corrections with what the detector says of trades, which come chunk by chunk.

    Parameters
    ----------
    corrections
        In the order of their times: of several of one trade the last one counts.
    unreadable
        How many more there were that cannot be read.
    """

    def __init__(self, corrections: Iterable[Correction], unreadable: int = 0) -> None:
        self._unusable: Counter[Unusable] = Counter({Unusable.UNREADABLE: unreadable})
        self._of_trade: dict[str, Correction] = {}
        self._without_trade: list[Correction] = []
        self._replaced: Counter[str] = Counter()
        for correction in corrections:
            if correction.trade_id is None:
                self._without_trade.append(correction)
                continue
            if correction.trade_id in self._of_trade:
                self._replaced[correction.trade_id] += 1
            self._of_trade[correction.trade_id] = correction
        self._read: set[str] = set()
        self._last_price: dict[str, float] = {}
        self._prints: dict[int, CancelledPrint] = {}
        self._stretches: dict[int, _Stretch] = {}
        self._trades = 0

    @property
    def trades(self) -> int:
        """How many trades were added: the place of the next one."""
        return self._trades

    def add(self, trades: Sequence[Trade], judged: set[int], found: Iterable[Found]) -> None:
        """Add the next trades.

        Parameters
        ----------
        trades
            The trades, in the order in which they were judged.
        judged
            Places of those that were judged.
        found
            The anomalies and revisions that they bring, with the places of these trades; the ids in them are
            places among all trades.
        """
        for one in found:
            first = one.at + self._trades if one.anomaly.first_trade is None else int(one.anomaly.first_trade)
            last = first if one.anomaly.last_trade is None else int(one.anomaly.last_trade)
            self._stretches[first] = _Stretch(trades[one.at].symbol, last, one.anomaly)
        for at, trade in enumerate(trades):
            correction = self._of_trade.get(trade.trade_id)
            if correction is None or correction.action not in TAKEN_BACK:
                if trade.price_eligible and trade.anchor_eligible:
                    self._last_price[trade.symbol] = trade.price
                if correction is not None and trade.trade_id not in self._read:
                    self._read.add(trade.trade_id)
                    self._unusable[Unusable.CORRECTED] += 1
                continue
            if trade.trade_id in self._read:
                continue
            self._read.add(trade.trade_id)
            if not trade.price_eligible:
                self._unusable[Unusable.NOT_ELIGIBLE] += 1
            elif at not in judged:
                self._unusable[Unusable.UNJUDGED] += 1
            else:
                self._prints[self._trades + at] = CancelledPrint(
                    trade.trade_id,
                    trade.timestamp,
                    trade.symbol,
                    trade.price,
                    trade.size,
                    correction.action,
                    self._distance_percent(trade),
                )
        self._trades += len(trades)

    def outcome(self, end: str) -> CancelsOutcome:
        """Return what came of it.

        Parameters
        ----------
        end
            End of the range of the trades, ISO 8601 UTC without the `Z`. A correction that was made later is
            left out, unless its trade was read: it is most likely of a later day.
        """
        unusable = Counter(self._unusable)
        unusable[Unusable.NO_TRADE] += sum(_made_before(one, end) for one in self._without_trade)
        for trade_id, correction in self._of_trade.items():
            is_read = trade_id in self._read
            if is_read or _made_before(correction, end):
                unusable[Unusable.REPLACED] += self._replaced[trade_id]
                unusable[Unusable.NOT_READ] += not is_read
        prints = [self._labelled(place, one) for place, one in self._prints.items()]
        return CancelsOutcome(
            self._trades,
            sum(one.anomaly.severity != Severity.INFO for one in self._stretches.values()),
            [one for one in prints if one.is_found],
            [one for one in prints if not one.is_found],
            {reason: unusable[reason] for reason in Unusable if unusable[reason]},
        )

    def _labelled(self, place: int, one: CancelledPrint) -> CancelledPrint:
        """Return a print with the highest-scored anomaly in whose stretch it lies."""
        around = [
            stretch.anomaly
            for first, stretch in self._stretches.items()
            if first <= place <= stretch.last and stretch.symbol == one.symbol
        ]
        if not around:
            return one
        best = max(around, key=lambda anomaly: (anomaly.severity != Severity.INFO, anomaly.score))
        return replace(one, labels=best.anomalies, severity=best.severity)

    def _distance_percent(self, trade: Trade) -> float | None:
        before = self._last_price.get(trade.symbol)
        return 100 * (trade.price - before) / abs(before) if before else None


def _made_before(correction: Correction, end: str) -> bool:
    return correction.timestamp.removesuffix("Z") < end
