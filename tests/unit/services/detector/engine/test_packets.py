"""Tapes of venues that send prints in packets: fabricated, read as a file and judged whole."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from services.contracts.trade import decode_trade
from services.detector.engine.engine import Engine
from services.detector.profiles.profile import load_profile
from services.sources.databento.trade_ids import NUMBERS_PACKETS_IDS
from services.sources.files import open_source

COUNT = 50_000
ERRORS = 40
NINE = 1_764_666_000 * 10**9
TICK = 0.25


def packet_tape(path: Path, venue: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Write a tape; return the rows of off-market prints that begin a packet, and of those inside one.

    Prints of a packet share the venue's time and number. At `ice`, times step back by up to 30 ms between
    packets while the number rises; at `coarse` there is no number, and the clock counts milliseconds.
    """
    random = np.random.default_rng(seed)
    sizes = random.integers(2, 8, COUNT)
    packet = np.repeat(np.arange(COUNT), sizes)[:COUNT]
    times = NINE + np.cumsum(random.exponential(400_000_000, COUNT)).astype(np.int64)
    received = times + 100_000
    if venue == "ice":
        times = times - random.integers(0, 30_000_000, COUNT)
    if venue == "coarse":
        times = times // 1_000_000 * 1_000_000
    side = random.choice(["A", "B"], COUNT)
    middle = 20_000 + np.cumsum(random.choice([-1, 0, 0, 0, 0, 0, 0, 1], COUNT))
    price = (middle[packet] + (side == "B")) * TICK
    is_first = np.diff(packet, prepend=-1) > 0
    far = [
        np.sort(random.choice(np.flatnonzero(one & (np.arange(COUNT) > 500)), ERRORS, replace=False))
        for one in (is_first, ~is_first)
    ]
    for rows in far:
        price[rows] += TICK * np.round(random.choice([-1, 1], ERRORS) * random.uniform(80, 400, ERRORS))
    pl.DataFrame(
        {
            "ts_recv": received[packet],
            "ts_event": times[packet],
            "rtype": 0,
            "publisher_id": NUMBERS_PACKETS_IDS[0],
            "instrument_id": 42,
            "action": "T",
            "side": side,
            "depth": 0,
            "price": np.round(price * 1e9).astype(np.int64),
            "size": random.integers(1, 20, COUNT),
            "flags": 0,
            "ts_in_delta": 0,
            "sequence": np.zeros(COUNT, np.int64) if venue == "coarse" else 1_000 + packet,
            "symbol": "ESH6",
        }
    ).write_csv(path)
    return far[0], far[1]


@pytest.mark.parametrize("venue", ["cme", "ice", "coarse"])
def test_every_print_of_a_packet_is_judged_wherever_it_stands(tmp_path: Path, venue: str) -> None:
    first, inside = packet_tape(tmp_path / "tape.csv", venue, seed=1)
    source = open_source(tmp_path / "tape.csv")
    engine = Engine(load_profile())
    ids: list[str] = []
    flagged: set[int] = set()
    for chunk in source.chunks():
        trades = [decode_trade(value) for value in source.to_json(chunk.trades)]
        flagged |= {len(ids) + at for at, _, _ in engine.detect(trades)}
        ids += [trade.trade_id for trade in trades]
    assert len(set(ids)) == COUNT
    assert engine.out_of_order.all == 0
    found = [len(flagged & set(rows.tolist())) for rows in (first, inside)]
    assert found == [ERRORS, ERRORS]
    assert len(flagged) < 3 * ERRORS
