"""Sessions of a generated day to plant anomalies into."""

from collections import deque
from dataclasses import replace
from functools import lru_cache

from services.common.exchange_calendar import ExchangeCalendar
from services.detector.engine.batch import SessionKey
from services.detector.engine.engine import Engine
from services.detector.profiles.profile import Profile, load_profile
from services.detector.selftest.scene import Scene
from services.detector.selftest.trial import Shadow
from tests.mutants.rig import DAY, day

NOON = f"{DAY}T17:00:00"
EVERY = load_profile().model_copy(
    update={
        "detectors": load_profile().detectors.replaced(
            high_volume={},  # type: ignore[arg-type] # as in a profile
            rapid_price_change={},  # type: ignore[arg-type]
            z_score={},  # type: ignore[arg-type]
            level_z_score={},  # type: ignore[arg-type]
            clearly_erroneous={},  # type: ignore[arg-type]
            luld_band={"tier": 1, "previous_close": 138.0},  # type: ignore[arg-type]
        )
    }
)
"""Every detector whose state can be copied, but for the forest, which takes long."""


@lru_cache(maxsize=4)
def shadow(symbol: str = "ACME", until: str = NOON) -> Shadow:
    """Return a symbol's session at a time of the day, with every detector."""
    return with_profile(EVERY, symbol, until)


def with_profile(profile: Profile, symbol: str = "ACME", until: str = NOON) -> Shadow:
    """Return a symbol's session at a time of the day."""
    trades = [trade for trade in day() if trade.symbol == symbol and trade.timestamp < until]
    engine = Engine(profile)
    engine.detect(trades)
    auctions = ExchangeCalendar(profile.exchange).auction_times(DAY)
    session = SessionKey(symbol, DAY if profile.sessions == "daily" else "")
    scene = Scene(session, tuple(deque(trades, maxlen=64)), *auctions, engine.time_zone)
    return Shadow(profile, scene, engine.save(session) if engine.checkpointable else None)


def young(count: int) -> Shadow:
    """Return the session of which only so many prints are known."""
    whole = shadow()
    return replace(whole, scene=replace(whole.scene, recent=whole.scene.recent[:count]))
