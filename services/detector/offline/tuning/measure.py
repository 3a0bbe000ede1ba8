"""Measures each symbol on past days: the rarity of its trades, and the state its sessions ended with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from services.contracts.anomaly import Severity
from services.contracts.detectors import DETECTORS
from services.detector.detectors.core.detector import TailDetector
from services.detector.detectors.core.state import NATURAL_CROSS, SECOND_NS
from services.detector.detectors.core.tail import ALERT, TailParameters
from services.detector.detectors.loading import load_detector
from services.detector.detectors.patterns.time_of_day import midnight_ns
from services.detector.detectors.patterns.volume_surge import VolumeSurgeParameters
from services.detector.engine.batch import SessionKey
from services.detector.engine.engine import Engine
from services.detector.offline.decode import decode_chunk
from services.detector.offline.tuning.usual_day import DayVolume
from services.detector.profiles.profile import Detectors, Profile
from services.sources.base import Source


def _tail_detector(name: str) -> type[TailDetector]:
    kind = load_detector(name)
    if not issubclass(kind, TailDetector):
        raise TypeError(f"{name} is registered with `has_alert_rarity`, but is not a `TailDetector`")
    return kind


BY_RARITY: dict[str, type[TailDetector]] = {
    name: _tail_detector(name) for name, spec in DETECTORS.items() if spec.has_alert_rarity
}
"""Detectors that flag by rarity."""

ANY_RARITY = 99.0
"""Rarity of what is flagged at any alert."""
MIN_RARITY = 2.5
"""Rarity from which a trade is kept; no alert is ever set as low as this."""

REPEAT_FACTOR = 0.99
"""A detector reduces the evidence of a trade that repeats an alert to this fraction of the alert's evidence;
such a trade is not flagged, however low the alert is set."""

Priors = dict[str, dict[str, float]]
"""Each detector's priors."""


@dataclass
class Measured:
    """Measurements of one symbol over all days.

    Parameters
    ----------
    trades, flagged
        Number of trades, and of flagged ones (without severity `info`).
    days
        The symbol's sessions, `YYYY-MM-DD`.
    rarities
        Rarities of each trade that an alert could flag, in the order of `BY_RARITY`, shape (k, 4).
        Infinite for a trade that a fixed rule flags, whatever the alerts.
    priors
        Mean of the state at the end of its sessions, weighted by their numbers of trades.
    volumes
        What each of its days had, by day; an endless session is one of them, without a name.
    """

    trades: int = 0
    flagged: int = 0
    days: list[str] = field(default_factory=list)
    rarities: np.ndarray = field(default_factory=lambda: np.zeros((0, len(BY_RARITY))))
    priors: Priors = field(default_factory=dict)
    volumes: dict[str, DayVolume] = field(default_factory=dict)


def measure_days(
    sources: Sequence[Source], profile: Profile, on_progress: Callable[[Source, int], None]
) -> dict[str, Measured]:
    """Run the detectors over past days and collect what is needed to choose alerts and priors.

    Parameters
    ----------
    sources
        The days.
    profile
        The profile to run.
    on_progress
        Called with a source and the position up to which it has been read.

    Returns
    -------
    dict
        Measurements by symbol, in alphabetical order.
    """
    engine = Engine(profile)
    parameters: dict[str, Detectors] = {}
    measured: dict[str, Measured] = {}
    rarities: dict[str, list[np.ndarray]] = {}
    ends: dict[str, dict[str, tuple[int, Priors]]] = {}  # by symbol and day
    for source in sources:
        for chunk in source.chunks():
            columns = decode_chunk(source, chunk, engine.time_zone).columns
            for flagged in engine.flag(columns):
                if flagged.piece.late_ns is not None:
                    continue
                batch, sessions = flagged.piece.batch, flagged.piece.sessions
                for session in sessions.values():
                    if session.symbol not in measured:
                        measured[session.symbol] = Measured()
                        rarities[session.symbol] = []
                        ends[session.symbol] = {}
                        parameters[session.symbol] = profile.for_symbol(session.symbol)
                prints = batch.prints[1]
                for slot, session in sessions.items():
                    if session.day not in measured[session.symbol].volumes:
                        volume = _new_volume(session, parameters[session.symbol], engine.time_zone)
                        measured[session.symbol].volumes[session.day] = volume
                    measured[session.symbol].volumes[session.day].add(prints[prints.slot == slot])
                rule_flags = []
                for at, anomaly, _ in engine.anomalies(flagged):
                    if anomaly.severity == Severity.INFO or not anomaly.is_first:
                        continue
                    measured[columns.symbol[at]].flagged += 1
                    if any(detection.detector not in BY_RARITY for detection in anomaly.detections):
                        rule_flags.append(int(np.searchsorted(flagged.piece.places, at)))
                measures = batch.measured()
                standing_out = find_standing_out(measures, rule_flags)
                slot_of = batch.slot[standing_out]
                for slot, session in sessions.items():
                    own = standing_out[slot_of == slot]
                    found = rarities_of(measures[own], batch.event_ns[own], parameters[session.symbol])
                    found[np.isin(own, rule_flags)] = np.inf
                    rarities[session.symbol].append(found[found.max(axis=1, initial=0.0) >= MIN_RARITY])
                    ends[session.symbol][session.day] = _end(engine.states, slot, parameters[session.symbol])
                for slot, count in zip(*np.unique(batch.slot, return_counts=True), strict=True):
                    measured[sessions[int(slot)].symbol].trades += int(count)
            on_progress(source, chunk.position)
    for symbol, one in measured.items():
        own_ends = dict(sorted(ends[symbol].items()))
        one.rarities = np.concatenate(rarities[symbol])
        one.days = list(own_ends)
        one.priors = _mean(list(own_ends.values()))
    return dict(sorted(measured.items()))


def _new_volume(session: SessionKey, parameters: Detectors, time_zone: str) -> DayVolume:
    surge = parameters.get("volume_surge")
    apart_s = (surge if isinstance(surge, VolumeSurgeParameters) else VolumeSurgeParameters()).apart_s
    start_ns = midnight_ns(session.day, time_zone) if session.day else 0
    return DayVolume(start_ns, int(apart_s * SECOND_NS))


def running_by_rarity(parameters: Detectors) -> dict[str, TailParameters]:
    """Return the parameters of each detector of `BY_RARITY` that runs."""
    found = {name: parameters.get(name) for name in BY_RARITY}
    return {name: one for name, one in found.items() if isinstance(one, TailParameters)}


def find_standing_out(measures: np.ndarray, rule_flags: list[int]) -> np.ndarray:
    """Return the positions of the trades that any alert could flag."""
    # At an alert of 6, the highest that tune sets, evidence of 1.6 is a rarity of 2.4, below `MIN_RARITY`.
    is_odd = np.zeros(len(measures), bool)
    for kind in BY_RARITY.values():
        is_odd |= measures[kind.evidence] >= 1.6
    is_odd &= measures["is_cross"] != NATURAL_CROSS
    is_odd[rule_flags] = True
    return np.flatnonzero(is_odd)


def rarities_of(measures: np.ndarray, event_ns: np.ndarray, parameters: Detectors) -> np.ndarray:
    """Return the rarities that detectors compare to their alerts, shape (k, 4); 0 if one does not run.

    A stretch is one anomaly, so only its rarest trade has its rarity.
    """
    rarities = np.zeros((len(measures), len(BY_RARITY)))
    running = running_by_rarity(parameters)
    for column, (name, kind) in enumerate(BY_RARITY.items()):
        p = running.get(name)
        if p is None:
            continue
        evidence = measures[kind.evidence]
        rarity = np.where(
            evidence < ALERT,
            evidence * p.alert_rarity / ALERT,
            # What is kept `low` has less evidence than its rarity gives, and is flagged nevertheless.
            p.alert_rarity + np.maximum(evidence - ALERT - p.evidence_offset, 0.0) / p.evidence_slope,
        )
        is_repeat = np.abs(evidence - REPEAT_FACTOR * ALERT) < 1e-9
        own = np.where(is_repeat, 0.0, rarity)
        if name == "burst":
            own = np.where(measures["is_scheduled"] == 1, 0.0, own)
        if name == "unusual_size":  # no alert is above a block's
            own = np.where(measures["is_block"] == 1, ANY_RARITY, own)
        rarities[:, column] = _once_per_stretch(own, event_ns, p.join_s) if p.join_s > 0 else own
    rarities[measures["is_cross"] == NATURAL_CROSS] = 0.0
    return rarities


def _once_per_stretch(rarity: np.ndarray, event_ns: np.ndarray, join_s: float) -> np.ndarray:
    """Keep only the highest rarity of each stretch (the first of equals); set the others to 0."""
    kept = np.zeros(len(rarity))
    places = np.flatnonzero(rarity >= MIN_RARITY)
    if len(places):
        starts = np.flatnonzero(np.diff(event_ns[places]) > join_s * SECOND_NS) + 1
        for stretch in np.split(places, starts):
            rarest = stretch[np.argmax(rarity[stretch])]
            kept[rarest] = rarity[rarest]
    return kept


def _end(states: np.ndarray, slot: int, parameters: Detectors) -> tuple[int, Priors]:
    """Return a session's number of trades so far, and its learnt state as priors."""
    state = states[slot]
    priors: Priors = {}
    for name, p in running_by_rarity(parameters).items():
        threshold, excess_scale = state["tails"][BY_RARITY[name].part][:2]
        priors[name] = {
            "threshold_prior": float(threshold),
            "excess_scale_prior": max(float(excess_scale), p.excess_scale_floor),
        }
    price = abs(float(np.median(state["prices"])))
    if "off_market_price" in priors and price > 0:
        priors["off_market_price"] |= {
            "dispersion_prior": max(float(state["dispersion"]) / price, 1e-7),
            "volatility_prior": max(float(state["variance"]) ** 0.5 / price, 1e-8),
            "step_prior": float(state["step"]) / price,
        }
    if "unusual_size" in priors:
        priors["unusual_size"] |= {
            "mean_size_prior": 0.5 * float(state["mean200"] + state["mean1000"]),
            "context_prior": float(state["context"]),
        }
    if "burst" in priors:
        priors["burst"]["clusters"] = min(max(float(state["cluster_rate"]), 1e-4), 0.9999)
    return int(state["trades"]), priors


def _mean(ends: list[tuple[int, Priors]]) -> Priors:
    """Return the mean over sessions, weighted by their numbers of trades, rounded to four digits."""
    names = {(detector, name) for _, priors in ends for detector, own in priors.items() for name in own}
    mean: Priors = {}
    for detector, name in sorted(names):
        known = [(trades, priors[detector][name]) for trades, priors in ends if name in priors[detector]]
        value = np.average([value for _, value in known], weights=[max(trades, 1) for trades, _ in known])
        mean.setdefault(detector, {})[name] = float(f"{value:.4g}")
    return mean
