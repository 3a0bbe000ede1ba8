"""The heart of the detector: trades and a state go in, anomalies and a new state come out.

No Kafka, no clock, no randomness without a seed. The live service and the backtest call the same code.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import Any

import numpy as np
import orjson

from services.common.trade import Trade
from services.detector.batch import Batch, SessionKey
from services.detector.calendar import ExchangeCalendar
from services.detector.columns import TradeColumns, to_columns
from services.detector.detectors.base import Flags
from services.detector.detectors.calibrated.tape import Tape
from services.detector.findings import combine
from services.detector.profile import Profile
from services.detector.registry import DetectorSet
from services.detector.sessions import Sessions
from services.detector.slots import with_room

MODEL_NAME = "tapewatch"


@dataclass
class Anomaly:
    """An anomalous trade, by its place in the batch, with the contract's fields beside the trade's."""

    at: int
    fields: dict[str, object] = field(repr=False)


class Engine:
    """Detects over any number of symbols; what it holds is bounded by symbols, not by trades.

    Parameters
    ----------
    profile
        What counts as unusual.
    """

    def __init__(self, profile: Profile) -> None:
        calendar = ExchangeCalendar(profile.exchange)
        self.time_zone = calendar.time_zone
        self._set = DetectorSet(profile, calendar.auction_times)
        self._sessions = Sessions(self._open, endless=profile.sessions == "endless")
        self._runs = np.zeros((0, len(self._set.detectors)), bool)  # by slot, for each detector
        self._model = {"name": MODEL_NAME, "version": version("tapewatch"), "profile": profile.hash}

    @property
    def tape(self) -> Tape:
        """What the calibrated detectors know and measure; `tune` reads it."""
        return self._set.tape

    @property
    def late_trades(self) -> int:
        """Trades that came late or repeated, and so were not judged."""
        return self._sessions.late_trades

    def detect(self, trades: list[Trade]) -> list[Anomaly]:
        """Judge the next trades, of any symbols, each symbol's in order.

        Returns
        -------
        list
            Anomalies in the order of their trades.
        """
        return self.detect_columns(to_columns(trades, self.time_zone)) if trades else []

    def detect_columns(self, columns: TradeColumns) -> list[Anomaly]:
        """Do as `detect`, for trades that are columns already."""
        anomalies = []
        for places, batch in self.batches(columns):
            for at, fields in self.judge(batch):
                place = int(places[at])
                session = self.session_of(int(batch.slot[at])).day or str(
                    np.datetime64(int(columns.day[place]), "D")
                )
                anomalies.append(Anomaly(place, {**fields, "session": session, "model": self._model}))
        return anomalies

    def batches(self, columns: TradeColumns) -> Iterator[tuple[np.ndarray, Batch]]:
        """Sort trades into sessions; each batch must be judged before the next is asked for.

        Yields the places of a batch's trades among `columns`, and the batch.
        """
        for places, slots in self._sessions.assign(columns):
            yield (
                places,
                Batch(
                    slot=slots,
                    event_ns=columns.event_ns[places],
                    price=columns.price[places],
                    size=columns.size[places],
                    side=columns.side[places],
                ),
            )

    def judge(self, batch: Batch) -> list[tuple[int, dict[str, Any]]]:
        """Judge a batch; returns places in it and the contract's fields about those trades."""
        return combine(
            [
                (detector, self._of_those_it_runs_for(number, detector.flag(batch), batch.slot))
                for number, detector in enumerate(self._set.detectors)
            ]
        )

    def session_of(self, slot: int) -> SessionKey:
        """Return the session that has a slot now."""
        return self._sessions.keys[slot]

    def _open(self, slot: int, session: SessionKey) -> None:
        self._runs = with_room(self._runs, slot)
        self._runs[slot] = self._set.runs_for(session.symbol)
        for detector in self._set.detectors:
            detector.open(slot, session)

    def _of_those_it_runs_for(self, number: int, flags: Flags, slots: np.ndarray) -> Flags:
        """Drop the flags of symbols for which the profile switches a detector off."""
        runs = self._runs[slots[flags.at], number]
        if runs.all():
            return flags
        return replace(
            flags,
            at=flags.at[runs],
            score=flags.score[runs],
            value=flags.value[runs],
            expected=flags.expected[runs],
            threshold=flags.threshold[runs],
            reasons=[reason for reason, stays in zip(flags.reasons, runs, strict=True) if stays],
            contributions={name: values[runs] for name, values in flags.contributions.items()},
            features={name: values[runs] for name, values in flags.features.items()},
        )


def anomaly_json(trade: bytes, anomaly: Anomaly, detected_at: dt.datetime) -> bytes:
    """Write the contract's anomaly: the trade's fields, and those about it."""
    fields = orjson.loads(trade) | anomaly.fields
    fields["detected_at"] = (
        detected_at.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    )
    return orjson.dumps(fields)
