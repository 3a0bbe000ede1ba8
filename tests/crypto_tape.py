"""A day of a market that never closes, as a CSV of plain columns: what crypto venues' tapes look like.

python -m tests.crypto_tape DAY.csv

Orders come in clusters, with a rate and a volatility that drift over the day. An order that takes more than
the best level sweeps several resting ones: rows of one time at prices further away. Sizes are heavy-tailed,
with round ones and those that a robot repeats.
"""

import csv
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

MINUTES = 1440
START_NS = 1_772_409_600_000_000_000
"""Midnight of 2 March 2026, UTC."""
COLUMNS = ("time", "symbol", "price", "size", "side")


@dataclass(frozen=True)
class Coin:
    """What one symbol's market is like.

    Parameters
    ----------
    symbol
        Its name.
    price
        At the start.
    tick
        Smallest price step, 10 to the power of minus `decimals`.
    decimals
        Decimals of a price.
    orders_a_minute
        Orders that do not follow another one, in the middle.
    usual_value
        Median value of an order, in the price's currency.
    volatility
        Standard deviation of a minute's return.
    """

    symbol: str
    price: float
    decimals: int
    orders_a_minute: float
    usual_value: float
    volatility: float

    @property
    def tick(self) -> float:
        """Smallest price step."""
        return float(10.0**-self.decimals)


COINS = (
    Coin("BTC-USD", 64_000.0, 2, 55.0, 260.0, 4.5e-4),
    Coin("ETH-USD", 3_100.0, 2, 30.0, 180.0, 5.5e-4),
    Coin("DOGE-USD", 0.1234, 5, 6.0, 60.0, 9e-4),
)

Row = tuple[str, str, str, str, str]


def prints_of(coin: Coin, minutes: int = MINUTES, seed: int = 1) -> Iterator[Row]:
    """Return the prints of a symbol, in order of time.

    Parameters
    ----------
    coin
        The symbol.
    minutes
        Length of the tape.
    seed
        Draws everything.
    """
    draw = np.random.default_rng([seed, *coin.symbol.encode()])
    hour = np.arange(minutes) / 60
    shape = 1 + 0.5 * np.sin((hour - 9) / 24 * 2 * np.pi)  # busiest in the American morning
    rate = coin.orders_a_minute * shape * np.exp(_drift(draw, minutes, 0.97, 0.55))
    volatility = coin.volatility * np.sqrt(shape) * np.exp(_drift(draw, minutes, 0.97, 0.45))
    orders = _order_times(draw, rate)
    moves = draw.standard_t(4, len(orders)) / np.sqrt(2)
    waits_s = np.diff(orders, prepend=orders[0])
    per_second = volatility[(orders // 60).astype(int)] / np.sqrt(60)
    price = coin.price
    is_buy = True
    robot = _robot_size(draw, coin)
    for at_s, wait_s, move, sigma in zip(orders, waits_s, moves, per_second, strict=True):
        price *= float(np.exp(sigma * np.sqrt(max(wait_s, 0.002)) * move))
        is_buy = is_buy if draw.random() < 0.72 else not is_buy
        if draw.random() < 0.001:
            robot = _robot_size(draw, coin)
        wanted = _order_size(draw, coin, price, robot)
        stamp = _time(START_NS + int(at_s * 1e6) * 1_000)
        way = 1 if is_buy else -1
        level = round(price / coin.tick) * coin.tick + way * coin.tick * draw.geometric(0.5)
        while wanted > 0:
            rests = float(np.exp(draw.normal(np.log(2.5 * coin.usual_value / price), 1.3)))
            size = round(min(wanted, rests), 8)
            wanted = round(wanted - size, 8)
            if size > 0:
                yield stamp, coin.symbol, f"{level:.{coin.decimals}f}", f"{size:.8f}", "B" if is_buy else "A"
            level += way * coin.tick * round(draw.exponential(max(3e-6 * price / coin.tick, 0.6)))
        price += 0.3 * (level - price) if abs(level - price) < 3e-4 * price else 0.0


def _drift(draw: np.random.Generator, count: int, memory: float, deviation: float) -> np.ndarray:
    """Return a series that wanders about 0 with a standard deviation."""
    steps = draw.normal(0, deviation * np.sqrt(1 - memory**2), count)
    found = np.empty(count)
    value = draw.normal(0, deviation)
    for place, step in enumerate(steps):
        value = memory * value + step
        found[place] = value
    return found


def _order_times(draw: np.random.Generator, rate: np.ndarray) -> np.ndarray:
    """Return the orders' times in seconds, sorted: some by themselves, others following one another."""
    counts = draw.poisson(rate)
    parents = np.repeat(np.arange(len(rate)) * 60.0, counts) + draw.uniform(0, 60, counts.sum())
    times = [parents]
    while len(parents):
        follows = parents[draw.random(len(parents)) < 0.42]
        scale = draw.choice([0.002, 0.05, 0.8, 6.0], len(follows), p=[0.3, 0.3, 0.25, 0.15])
        parents = follows + draw.exponential(scale)
        times.append(parents)
    found = np.sort(np.concatenate(times))
    return found[found < 60 * len(rate)]


def _robot_size(draw: np.random.Generator, coin: Coin) -> float:
    return float(round(coin.usual_value / coin.price * np.exp(draw.normal(0, 1)), 6))


def _order_size(draw: np.random.Generator, coin: Coin, price: float, robot: float) -> float:
    kind = draw.random()
    if kind < 0.2:
        return robot
    if kind < 0.35:  # a round number of coins
        digits = int(np.floor(np.log10(coin.usual_value / price))) + int(draw.integers(0, 3))
        return float(draw.choice([1, 2, 5]) * 10.0**digits)
    return float(np.exp(draw.normal(np.log(coin.usual_value / price), 1.9)))


def _time(time_ns: int) -> str:
    return f"{np.datetime64(time_ns // 1_000, 'us')}Z"


def write_tape(path: Path, minutes: int = MINUTES, seed: int = 1, coins: tuple[Coin, ...] = COINS) -> int:
    """Write a tape, symbol by symbol, and return its number of prints."""
    count = 0
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for coin in coins:
            for row in prints_of(coin, minutes, seed):
                writer.writerow(row)
                count += 1
    return count


if __name__ == "__main__":
    print(write_tape(Path(sys.argv[1])))
