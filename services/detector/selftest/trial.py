"""Plants an anomaly into a copy of a session's state, and says whether the engine flags it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

import msgspec

from services.contracts.anomaly import Detection, Severity
from services.contracts.detectors import DETECTORS
from services.contracts.trade import Trade, decode_trade
from services.detector.engine.columns import to_columns
from services.detector.engine.engine import Engine
from services.detector.engine.growth import NOTHING_GROWING, Prints
from services.detector.engine.state import SessionState
from services.detector.profiles.profile import Profile
from services.detector.selftest.plant import NotNowError, Plant
from services.detector.selftest.scene import Scene

AS_PLANTED = 1e-6
"""Largest difference between a planted value and the detection's, as a share of it."""


class Outcome(StrEnum):
    """What became of a planted anomaly."""

    FIRED = "fired"
    QUIET = "did not fire"
    HELD_BACK = "held back"
    """Flagged, but a line of the profile's `suppress` holds it back."""
    WRONG_VALUE = "wrong value"
    """Flagged with another price or size than the planted one."""
    WAITING = "waiting"
    """The session gives no occasion for it now."""

    @property
    def is_failure(self) -> bool:
        """Whether a working detector would not do that."""
        return self in (Outcome.QUIET, Outcome.HELD_BACK, Outcome.WRONG_VALUE)


@dataclass(frozen=True)
class Shadow:
    """A copy of a session that anomalies are planted into, each into a copy of its own.

    Parameters
    ----------
    profile
        The running one.
    scene
        The session at the moment of the copy.
    state
        The state; None to judge the scene's recent prints in a new session first, where a profile's state
        cannot be copied.
    """

    profile: Profile
    scene: Scene
    state: SessionState | None

    def engine(self) -> Engine:
        """Return an engine that has the session, and nothing else."""
        engine = Engine(self.profile)
        if self.state is None:
            engine.detect(through_messages(list(self.scene.recent)))
        else:
            # Without what is growing: a planted print that joined it would be told with a later revision.
            engine.restore(replace(self.state, growing=NOTHING_GROWING))
        return engine


@dataclass(frozen=True)
class Trial:
    """What became of one planted anomaly.

    Parameters
    ----------
    detector
        The detector.
    outcome
        What it said.
    prints
        How many prints were planted, in all tries.
    note
        Why it waits, what held it back, or what is wrong, for people; the sentence of what fired.
    """

    detector: str
    outcome: Outcome
    prints: int = 0
    note: str = ""

    @property
    def label(self) -> str:
        """The detector's title, as people know it."""
        return DETECTORS[self.detector].title


def attempt(plant: Plant, shadow: Shadow) -> Trial:
    """Plant an anomaly, as often as it takes, and say what became of it."""
    scene = shadow.scene
    if len(scene.recent) < plant.least_recent:
        return Trial(plant.detector, Outcome.WAITING, note=f"only {len(scene.recent)} prints so far")
    planted = 0
    last = Trial(plant.detector, Outcome.QUIET)
    try:
        for prints in plant.tries(scene):
            planted += len(prints)
            last = replace(_judged(plant, shadow.engine(), prints), prints=planted)
            if last.outcome is Outcome.FIRED:
                break
    except NotNowError as why:
        if not planted:
            return Trial(plant.detector, Outcome.WAITING, note=str(why))
    return last


def _judged(plant: Plant, engine: Engine, prints: list[Trade]) -> Trial:
    """Judge planted prints by an engine that has the session."""
    messages = [msgspec.json.encode(trade) for trade in prints]
    trades = [decode_trade(message) for message in messages]
    columns = to_columns(trades, engine.time_zone)
    place: Callable[[int], bytes] = messages.__getitem__
    held_before = engine.held_back
    found = engine.detect_columns(columns, Prints(lambda at: trades[at].trade_id, place))
    spec = DETECTORS[plant.detector]
    told = [
        (one.origin, detection)
        for one in found
        if spec.is_expected or one.anomaly.severity is not Severity.INFO
        for detection in one.anomaly.detections
        if detection.detector == plant.detector
    ]
    if not told:
        unjudged = [text for text in engine.take_remarks() if text.startswith(f"{plant.detector} ")]
        if unjudged:
            return Trial(plant.detector, Outcome.WAITING, note=unjudged[0])
        held = [line for line, count in engine.held_back.items() if count > held_before[line]]
        if held:
            is_planned = all(line.startswith("calendar:") for line in held)
            outcome = Outcome.WAITING if is_planned else Outcome.HELD_BACK
            return Trial(plant.detector, outcome, note=f"by {' and '.join(held)}")
        return Trial(plant.detector, Outcome.QUIET)
    if plant.value_is:
        own = [getattr(trade, plant.value_is) for trade in prints]
        if not any(_is_as_planted(detection, own) for _, detection in told):
            value = told[-1][1].value
            return Trial(
                plant.detector,
                Outcome.WRONG_VALUE,
                note=f"planted a {plant.value_is} of {own[-1]:,.10g}, and it says {value:,.10g}",
            )
    return Trial(plant.detector, Outcome.FIRED, note=told[-1][1].reason)


def _is_as_planted(detection: Detection, planted: list[float]) -> bool:
    return any(abs(detection.value - value) <= AS_PLANTED * max(abs(value), 1e-9) for value in planted)


def through_messages(trades: list[Trade]) -> list[Trade]:
    """Return trades as they are once they have passed through the topic."""
    return [decode_trade(msgspec.json.encode(trade)) for trade in trades]
