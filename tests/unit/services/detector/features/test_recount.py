"""The features against a recount in plain Python, which goes through all trades before each one.

Differences and counts must agree to the last bit. Sums need not: the recount adds exactly (`fsum`), the
kernel from the newest trade to the oldest, and a difference of nearly equal sums has the error of the larger
one; under Roll's root, of a covariance near 0, half of the digits are left.
"""

import datetime as dt
from collections.abc import Sequence
from itertools import pairwise
from math import fsum, isnan, log, nan, sqrt
from statistics import median_high
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from services.detector.engine.batch import (
    ANCHOR_ELIGIBLE,
    BAR,
    PRICE_ELIGIBLE,
    SIDE_CODES,
    VOLUME_ELIGIBLE,
    Batch,
)
from services.detector.features.registry import NAMES
from tests.unit.services.detector.features.sessions import (
    CLOSE_NS,
    OPEN_NS,
    SYMBOLS,
    measured,
    opened,
    ranges,
    session,
    values,
)

HORIZONS = {"50ms": 50_000_000, "1s": 10**9, "10s": 10**10, "60s": 6 * 10**10}
EXACT = ("return_", "tick_run", "price_ties", "side", "time_", "gap", "since", "to_close", "rate_change")
LOOSE = {"roll_spread_50": 1e-7, "roll_spread_200": 1e-7}


def over(one: float, other: float) -> float:
    return one / other if other else nan


def ln(x: float) -> float:
    return log(x) if x > 0 else nan


def signed_run(signs: list[int]) -> int:
    """Return how many of the last signs are the same, negative for -1."""
    count = 0
    for sign in reversed(signs):
        if sign != signs[-1]:
            break
        count += sign
    return count


def deviation(numbers: list[float]) -> float:
    mean = fsum(numbers) / len(numbers)
    return 0.0 if len(set(numbers)) == 1 else sqrt(fsum((x - mean) ** 2 for x in numbers) / len(numbers))


def z_score(x: float, numbers: list[float]) -> float:
    return over(x - fsum(numbers) / len(numbers), deviation(numbers)) if numbers else nan


class Recount:
    """Remembers every trade of a session."""

    def __init__(self) -> None:
        self.prices: list[tuple[float, float]] = []
        self.sizes: list[tuple[float, int]] = []
        self.all: list[tuple[int, float, float | None]] = []
        self.bars: list[tuple[float, float, float, float]] = []

    def features(self, now: int, x: float, z: float, side: int, eligible: int) -> dict[str, float]:
        found = {
            "side": {SIDE_CODES["B"]: 1.0, SIDE_CODES["A"]: -1.0}.get(side, 0.0),
            "since_open_min": (now - OPEN_NS) * 1e-9 / 60.0,
            "to_close_min": (CLOSE_NS - now) * 1e-9 / 60.0,
            "time_of_day_s": self.clock(now),
            "price_eligible": float(eligible & PRICE_ELIGIBLE != 0),
            "anchor_eligible": float(eligible & ANCHOR_ELIGIBLE != 0),
            "volume_eligible": float(eligible & VOLUME_ELIGIBLE != 0),
        }
        if eligible & BAR or not eligible & (PRICE_ELIGIBLE | VOLUME_ELIGIBLE):
            return found
        is_priced, is_sized = eligible & PRICE_ELIGIBLE != 0, eligible & VOLUME_ELIGIBLE != 0
        if self.all:
            found["gap_s"] = max(now - self.all[-1][0], 0) * 1e-9
        found["time_ties"] = float(self.same_before([one[0] for one in self.all], now))
        if self.all and now < self.all[-1][0]:
            self.all_since_step_back = len(self.all)
        if is_priced:
            found |= self.of_price(x)
            self.prices.append((x, z if is_sized else 0.0))
        if is_sized:
            found |= self.of_size(z, side)
            self.sizes.append((z, side))
        self.all.append((now, z if is_sized else 0.0, x if is_priced else None))
        return found | self.of_times(now, x if is_priced else None)

    @staticmethod
    def clock(now: int) -> float:
        local = dt.datetime.fromtimestamp(now // 10**9, ZoneInfo("America/New_York"))
        seconds = local.hour * 3600 + local.minute * 60 + local.second
        return (seconds * 10**9 + now % 10**9) * 1e-9

    @staticmethod
    def same_before(past: Sequence[float], one: float) -> int:
        count = 0
        for other in reversed(past):
            if other != one:
                break
            count += 1
        return count

    def of_price(self, x: float) -> dict[str, float]:
        logs = [ln(p) for p, _ in self.prices]
        found = {f"return_{k}": ln(x) - logs[-k] for k in (1, 10, 50, 200) if len(logs) >= k}
        for w in (50, 200):
            last = [p for p, _ in self.prices[-w:]]
            moves = [b - a for a, b in pairwise(logs[-w - 1 :])]
            good = [r for r in moves if not isnan(r)]
            pairs = [a * b for a, b in pairwise(moves) if not isnan(a * b)]
            traded = fsum(v for _, v in self.prices[-w:])
            if good:
                found[f"volatility_{w}"] = sqrt(fsum(r * r for r in good) / len(good))
            if pairs:
                cov = fsum(pairs) / len(pairs) - (fsum(good) / len(good)) ** 2
                found[f"roll_spread_{w}"] = 2 * sqrt(max(-cov, 0.0))
            if last:
                found[f"range_ratio_{w}"] = over(max(last) - min(last), x)
                vwap = over(fsum(p * v for p, v in self.prices[-w:]), traded)
                found[f"vwap_deviation_{w}"] = over(x, vwap) - 1
        if self.prices:
            vwap = over(fsum(p * v for p, v in self.prices), fsum(v for _, v in self.prices))
            found["vwap_deviation_session"] = over(x, vwap) - 1
            ordered = sorted(p for p, _ in self.prices[-200:])
            middle = median_high(ordered)
            cut = len(ordered) // 10
            low, high = ordered[cut], ordered[-1 - cut]
            found["median_deviation_200"] = over(x, middle) - 1
            found["envelope_distance_200"] = over(max(x - high, 0.0) + min(x - low, 0.0), middle)
        path = [p for p, _ in self.prices] + [x]
        signs = [1 if b > a else -1 for a, b in pairwise(path) if a != b]
        found["tick_run"] = float(signed_run(signs))
        found["price_ties"] = float(self.same_before(path[:-1], x))
        return found

    def of_size(self, z: float, side: int) -> dict[str, float]:
        found = {}
        for w in (50, 200):
            last = [one for one, _ in self.sizes[-w:]]
            if last:
                found[f"size_z_{w}"] = z_score(z, last)
                found[f"size_ratio_{w}"] = over(z, fsum(last) / len(last))
            bought = fsum(one for one, by in self.sizes[-w:] if by == SIDE_CODES["B"])
            sold = fsum(one for one, by in self.sizes[-w:] if by == SIDE_CODES["A"])
            found[f"side_imbalance_{w}"] = over(bought - sold, bought + sold)
        signs = [{SIDE_CODES["B"]: 1, SIDE_CODES["A"]: -1}.get(by, 0) for _, by in self.sizes]
        sign = {SIDE_CODES["B"]: 1, SIDE_CODES["A"]: -1}.get(side, 0)
        found["side_run"] = float(signed_run([*signs, sign]))
        return found

    all_since_step_back = 0
    """Number of the first trade after the clock was last set back."""

    def of_times(self, now: int, x: float | None) -> dict[str, float]:
        found: dict[str, float] = {}
        counted = self.all[self.all_since_step_back :]
        for name, h in HORIZONS.items():
            part = h // 20
            ends = [(t // part, v, p) for t, v, p in counted]
            near = [one for one in ends if one[0] >= now // part - 20]
            far = [one for one in ends if now // part - 40 <= one[0] < now // part - 20]
            before = ends[: len(ends) - len(near)]
            prices = [p for _, _, p in before if p is not None]
            if before and prices and x is not None:
                found[f"return_{name}"] = ln(x) - ln(prices[-1])
            trades, shares = float(len(near)), fsum(v for _, v, _ in near)
            if ends[0][0] < now // part - 40:
                other, other_shares = float(len(far)), fsum(v for _, v, _ in far)
                found[f"rate_change_{name}"] = over(trades - other, trades + other)
                found[f"volume_change_{name}"] = over(shares - other_shares, shares + other_shares)
            first, last = counted[0][0] // h, now // h
            past = range(max(first, last - 30), last)
            if len(past) >= 5:
                own = [[v for t, v, _ in counted if t // h == number] for number in past]
                found[f"rate_z_{name}"] = z_score(trades, [float(len(one)) for one in own])
                found[f"volume_z_{name}"] = z_score(shares, [fsum(one) for one in own])
        return found

    def of_bar(self, close: float, volume: float, high: float, low: float) -> dict[str, float]:
        typical = close if isnan(high) else (high + low + close) / 3
        self.bars.append((close, volume, typical, ln(close)))
        last = self.bars[-20:]
        found = {
            "bar_range_ratio": over(high - low, close),
            "bar_volume_z": z_score(volume, [v for _, v, _, _ in last]),
            "bar_vwap_deviation": over(
                close, over(fsum(v * t for _, v, t, _ in last), fsum(v for _, v, _, _ in last))
            )
            - 1,
        }
        logs = [one[3] for one in self.bars[-21:]]
        moves = [b - a for a, b in pairwise(logs)]
        if moves:
            found["bar_return"] = moves[-1]
        good = [r for r in moves if not isnan(r)]
        if len(good) > 1:
            found["bar_volatility"] = deviation(good)
        return found


def recounted(batch: Batch) -> list[dict[str, float]]:
    recount = Recount()
    high, low = ranges(batch)
    found = []
    for at in range(len(batch)):
        now, side, bits = int(batch.event_ns[at]), int(batch.side[at]), int(batch.eligible[at])
        x, z = float(batch.price[at]), float(batch.size[at])
        one = recount.features(now, x, z, side, bits)
        if bits & BAR:
            one |= recount.of_bar(x, z, float(high[at]), float(low[at]))
        found.append(one)
    return found


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_a_recount_in_plain_python_agrees(symbol: str) -> None:
    batch, keys = measured([session(symbol, 480, 5)], 0)
    found = values(opened(keys), batch, slice(None))
    expected = recounted(batch)
    seen = set()
    for column, name in enumerate(NAMES):
        if name.startswith("measure_"):
            continue
        own = found[:, column]
        other = np.array([one.get(name, nan) for one in expected])
        if name.startswith(EXACT):
            np.testing.assert_array_equal(own, other, err_msg=name)
        else:
            np.testing.assert_allclose(own, other, rtol=1e-9, atol=LOOSE.get(name, 1e-11), err_msg=name)
        if not np.isnan(other).all():
            seen.add(name)
    missing = {name for name in NAMES if not name.startswith("measure_")} - seen
    assert {name for name in missing if symbol == "ODD" or not name.startswith("bar_")} == set()


def test_the_calibrated_measures_are_those_of_the_walk() -> None:
    batch, keys = measured([session("ODD", 200, 5)], 0)
    found = opened(keys).advance(batch)
    for column, name in enumerate(NAMES):
        if name.startswith("measure_"):
            own = batch.measured()[name.removeprefix("measure_")]
            assert found[:, column].tobytes() == (own + 0.0).tobytes(), name
