"""A partition of `anomalies` in the alerter: its alerts, and what a batch of messages brings."""

from dataclasses import dataclass, field

import msgspec

from services.alerter.deciding.decider import Decider, Finish
from services.alerter.live.checkpoint import decode, encode
from services.alerter.live.prints import Wanted
from services.alerter.rules.model import Rules
from services.alerter.seen import NotAnAnomalyError, read_retracted, read_seen
from services.common.kafka.records import Record
from services.contracts.alert import Alert, AlertState, Print, Sending
from services.contracts.correction import decode_correction
from services.contracts.topics import CORRECTIONS_TOPIC


@dataclass
class Decided:
    """What was decided since the last commit."""

    alerts: list[Alert] = field(default_factory=list)
    rejected: list[tuple[Record, str]] = field(default_factory=list)
    wanted: list[Wanted] = field(default_factory=list)
    """Trades whose surroundings the alerts that open are to show."""
    anomalies: int = 0
    corrections: int = 0


class AlertedPartition:
    """A partition that this alerter decides on.

    Parameters
    ----------
    number
        Its number.
    rules
        Which anomalies are told.
    finish
        See `services.alerter.deciding.decider.Finish`.
    """

    def __init__(self, number: int, rules: Rules, finish: Finish) -> None:
        self._number = number
        self._decider = Decider(rules, finish)
        self.unreadable: list[str] = []
        """Symbols whose checkpoints could not be read, with the reasons."""

    @property
    def open_alerts(self) -> int:
        """How many alerts are open."""
        return self._decider.open_count

    def restore(self, stored: dict[bytes, bytes]) -> None:
        """Resume from checkpoints, by key; before any message."""
        for key, value in stored.items():
            symbol = key.decode(errors="replace")
            try:
                self._decider.restore(symbol, decode(value))
            except ValueError as error:
                self.unreadable.append(f"{symbol}: {error}")

    def take(self, record: Record, decided: Decided) -> bool:
        """Decide on one message, an anomaly, a retraction or a correction.

        Returns
        -------
        bool
            Whether the detector's clock may have started again: the message comes from a reset.
        """
        try:
            if record.topic() == CORRECTIONS_TOPIC:
                decided.corrections += 1
                decided.alerts += self._decider.correction(decode_correction(record.value() or b""))
                return False
            return self._take_anomaly(record, decided)
        except NotAnAnomalyError as error:
            decided.rejected.append((record, str(error)))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            decided.rejected.append((record, f"not a correction: {error}"))
        return False

    def _take_anomaly(self, record: Record, decided: Decided) -> bool:
        value = record.value()
        decided.anomalies += 1
        if value is None:
            gone = read_retracted(record.key(), record.headers())
            decided.alerts += self._decider.retraction(
                gone.symbol, gone.trade_id, gone.clock_ns, gone.is_judged_again
            )
            return True
        seen = read_seen(value, record.headers())
        for alert in self._decider.anomaly(seen):
            decided.alerts.append(alert)
            is_told = alert.state is AlertState.OPENED and alert.sending is Sending.DUE
            if is_told and seen.trade_offset is not None:
                decided.wanted.append(Wanted(alert.alert_id, seen.symbol, self._number, seen.trade_offset))
        return seen.is_judged_again

    def pass_clock(self, clock_ns: int, decided: Decided) -> None:
        """Close the alerts whose quiet time is over by the tape's clock."""
        decided.alerts += self._decider.clock(clock_ns)

    def keep_trades(self, symbol: str, alert_id: str, trades: list[Print]) -> None:
        """Remember the trades that an alert shows, for its later revisions."""
        self._decider.keep_trades(symbol, alert_id, trades)

    def checkpoints(self) -> list[tuple[bytes, bytes]]:
        """Return keys and values of the symbols that have changed since the last call."""
        return [
            (symbol.encode(), encode(self._decider.save(symbol)))
            for symbol in sorted(self._decider.take_changed())
        ]
