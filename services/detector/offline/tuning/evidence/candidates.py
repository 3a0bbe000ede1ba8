"""Finds the prints of past days that are rare enough to be near a threshold, above or below it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from services.contracts.trade import Trade
from services.detector.engine.engine import Engine
from services.detector.engine.sessions import Piece
from services.detector.offline.decode import decode_chunk
from services.detector.offline.tuning.measure import (
    BY_RARITY,
    MIN_RARITY,
    find_standing_out,
    rarities_of,
    running_by_rarity,
)
from services.detector.profiles.profile import Detectors, Profile
from services.sources.base import Source


@dataclass(frozen=True)
class Candidate:
    """A print that is rare by one detector.

    Parameters
    ----------
    trade_id, symbol, time
        The print's; the time as the trade has it.
    beyond
        Its rarity less the alert of its symbol: flagged from 0 on.
    """

    trade_id: str
    symbol: str
    time: str
    beyond: float


@dataclass
class Candidates:
    """The rare prints of some days.

    Parameters
    ----------
    of_detector
        By detector, in the order of the tape.
    trades
        Trades judged, by symbol and day.
    """

    of_detector: dict[str, list[Candidate]] = field(default_factory=dict)
    trades: dict[tuple[str, str], int] = field(default_factory=dict)


def find_candidates(
    sources: Sequence[Source], profile: Profile, on_progress: Callable[[Source, int], None]
) -> Candidates:
    """Run a profile's detectors over past days, and keep every print that is rarer than `MIN_RARITY`.

    Parameters
    ----------
    sources
        The days.
    profile
        Its alerts are the lines.
    on_progress
        Called with a source and the position up to which it has been read.
    """
    engine = Engine(profile)
    parameters_of = lru_cache(maxsize=None)(profile.for_symbol)
    found = Candidates({name: [] for name in BY_RARITY})
    for source in sources:
        for chunk in source.chunks():
            decoded = decode_chunk(source, chunk, engine.time_zone)
            for flagged in engine.flag(decoded.columns):
                if flagged.piece.late_ns is None:
                    _add(found, flagged.piece, decoded.trades, parameters_of)
            on_progress(source, chunk.position)
    found.of_detector = {name: some for name, some in found.of_detector.items() if some}
    return found


def _add(
    found: Candidates, piece: Piece, trades: Sequence[Trade], parameters_of: Callable[[str], Detectors]
) -> None:
    """Add the rare prints of a piece of some trades to what is found."""
    batch, measures = piece.batch, piece.batch.measured()
    standing_out = find_standing_out(measures, [])
    slot_of = batch.slot[standing_out]
    for slot, session in piece.sessions.items():
        own = parameters_of(session.symbol)
        key = (session.symbol, session.day)
        found.trades[key] = found.trades.get(key, 0) + int(np.count_nonzero(batch.slot == slot))
        rows = standing_out[slot_of == slot]
        rarities = rarities_of(measures[rows], batch.event_ns[rows], own)
        running = running_by_rarity(own)
        for column, name in enumerate(BY_RARITY):
            if name not in running:
                continue
            for row in np.flatnonzero(rarities[:, column] >= MIN_RARITY).tolist():
                trade = trades[int(piece.places[rows[row]])]
                beyond = float(rarities[row, column]) - running[name].alert_rarity
                found.of_detector[name].append(
                    Candidate(trade.trade_id, trade.symbol, trade.timestamp, beyond)
                )
