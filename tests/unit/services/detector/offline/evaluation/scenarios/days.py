"""Days for the tests of scenarios: natural ones, and how they are taken apart."""

from functools import cache

import numpy as np
import polars as pl

from services.detector.offline.evaluation.run import auctions_of
from services.detector.offline.evaluation.scenarios.merge import tapes_of
from services.detector.offline.evaluation.scenarios.tape import Tape
from services.detector.profiles.profile import Profile
from tests.unit.services.detector.offline.evaluation.days import generated_day

auctions = auctions_of(Profile())


@cache
def natural_day(symbols: int = 1) -> pl.DataFrame:
    """Return a natural day with `ts_recv`, in which every trade has a number of its own."""
    day = generated_day(24_000, symbols)
    delay = 100_000 + (np.arange(len(day)) * 7919) % 50_000
    return day.with_columns(ts_recv=pl.col("ts_event") + pl.Series(delay))


@cache
def tapes(symbols: int = 1) -> list[Tape]:
    return tapes_of(natural_day(symbols), auctions)
