"""Random streams of many sessions, and engines that process them, for tests of saving and restoring."""

from collections.abc import Iterable, Iterator
from random import Random

from services.detector.detectors.checks import joined, part, session_trades
from services.detector.engine.batch import SessionKey
from services.detector.engine.columns import TradeColumns
from services.detector.engine.engine import Engine
from services.detector.engine.growth import Prints
from services.detector.profiles.profile import Profile

EVERYTHING = Profile.model_validate(
    {
        "detectors": {
            "auction_cross": {},
            "off_market_price": {"alert_rarity": 2.5, "join_s": 20.0},
            "unusual_size": {"alert_rarity": 2.0, "join_s": 3.0},
            "burst": {"alert_rarity": 2.0},
            "isolation_forest": {"refit_trades": 20, "window_trades": 50, "trees": 5, "alert_rarity": 1.5},
            "high_volume": {"threshold_shares": 900},
            "rapid_price_change": {"threshold_ratio": 0.002},
            "z_score": {"window_trades": 40, "min_trades": 10, "threshold_sigmas": 2.0},
        }
    }
)
OWN_PARAMETERS = EVERYTHING.model_copy(
    update={
        "symbols": {
            "AAA": {
                "isolation_forest": None,
                "high_volume": {"threshold_shares": 500},
                "z_score": {"window_trades": 15},
            },
            "B@B": {
                "isolation_forest": {"refit_trades": 13, "window_trades": 30},
                "auction_cross": None,
                "rapid_price_change": {"threshold_ratio": 0.001},
                "z_score": None,
            },
        }
    }
)
WITHOUT_RULES = EVERYTHING.model_copy(
    update={
        "detectors": EVERYTHING.detectors.replaced(high_volume=None, rapid_price_change=None, z_score=None)
    }
)


def stream(random: Random, symbols: Iterable[str], days: int, trades: int, late_share: float) -> TradeColumns:
    """Return sessions of several symbols and days, interleaved at random, with repeated trades."""
    each = [
        session_trades(symbol, day, trades, seed)
        for seed, symbol in enumerate(symbols)
        for day in range(days)
    ]
    turns = [number for number in range(len(each)) for _ in range(trades)]
    random.shuffle(turns)
    next_of = [number * trades for number in range(len(each))]
    order = []
    for turn in turns:
        order.append(next_of[turn])
        next_of[turn] += 1
        if random.random() < late_share:
            order.append(random.choice(order))
    return part(joined(each), order)


def batches(first: int, end: int, batch_trades: int) -> Iterator[range]:
    """Cut the positions from `first` to `end` into batches."""
    for start in range(first, end, batch_trades):
        yield range(start, min(start + batch_trades, end))


def anomalies(engine: Engine, columns: TradeColumns, places: Iterable[int]) -> list[tuple[int, str]]:
    """Run an engine on the trades at the given positions; return the anomalies' positions and documents."""
    at = list(places)
    prints = Prints(lambda place: f"trade {at[place]}", lambda place: f"origin {at[place]}".encode())
    found = engine.detect_columns(part(columns, at), prints) if at else []
    # repr tells floats apart to the last bit.
    return [(at[place], f"{origin!r} {anomaly!r}") for place, anomaly, origin in found]


def open_sessions(engine: Engine) -> list[SessionKey]:
    """Return the sessions of a new engine that has processed trades."""
    return engine.take_changes().touched
