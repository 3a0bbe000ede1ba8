"""A synthetic trading day in Databento's trades CSV format, with labelled anomalies.

The day is for the demo and the tests, which contain no real data. It is modelled on real days of one busy
share on Nasdaq's own feed (150,000 to 220,000 trades a day), and reproduces these properties:

- intraday pattern: half of the trades in the first hour and the last half hour, a thin pre-market session
  from 04:00 and a thinner post-market session until 20:00 New York time, the same U shape in volatility;
- clustering: about half of the trades have the same event time as the previous one (sweeps of two or more
  rows, a few of hundreds), half of the rest follow within ten milliseconds, and busy minutes cluster;
- sizes: a quarter exactly 100 shares, two thirds odd lots with the habitual 1, 10, 20, 50, a median near
  50, 99 % below about 1,000, blocks up to 150,000;
- sides: aggressors 40 % each way, 20 % `N` (hidden orders, a third of them at half ticks; more outside the
  regular session), the previous trade's side in two of three trades;
- prices: four of five trades at the previous price, moves mostly of one tick towards the aggressor, returns
  that are uncorrelated apart from the bid-ask bounce, volatility that clusters;
- auctions: one row of side `N` at 09:30 and one at 16:00, the closing one a third of the day's volume;
- feed: `sequence` increases by 1 within a sweep and otherwise by thousands per second, `ts_recv` is
  `ts_event` plus about 170 microseconds, `flags` mark the end of each event.

The other symbols (medium, around 4 dollars, thin, in the thousands of dollars) are variations of this one.
Weaker than on real days are the aggressor's effect on the price (a correlation of 0.24 instead of 0.35) and
the autocorrelation of sizes and absolute moves over tens of trades. Not modelled: holidays and half days,
halts, corrections, any correlation between symbols.
"""

import datetime as dt
import io
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
import polars as pl
import zstandard

from services.common.errors import TapewatchError
from services.common.process.atomic_file import replaced_when_done
from services.sources.synthetic.anomalies import (
    MOST_WANTED,
    InjectedTrades,
    inject_anomalies,
    plan_anomalies,
)
from services.sources.synthetic.trades import (
    NS_PER_S,
    SIDE_LETTERS,
    Bools,
    Ints,
    SyntheticTrades,
    generate_trades,
    symbol_name,
)

PUBLISHER_ID = 2
"""Databento's number for Nasdaq's own feed."""

FIRST_INSTRUMENT_ID = 20_001

MAX_ANOMALY_RATE = 0.2

TRADE_COLUMNS = (
    "ts_recv",
    "ts_event",
    "rtype",
    "publisher_id",
    "instrument_id",
    "action",
    "side",
    "depth",
    "price",
    "size",
    "flags",
    "ts_in_delta",
    "sequence",
    "symbol",
)

LABEL_COLUMNS = (
    "trade_id",
    "event_id",
    "kind",
    "symbol",
    "ts_event",
    "price",
    "size",
    "expected_price",
    "expected_size",
)

_YEARS = range(1970, 2100)  # polars knows daylight saving until 2099 only
_FIRST_SEQUENCE = 280_000
_MESSAGES_PER_S = 9_000  # of the whole venue; only some of them are trades
_ROWS_PER_WRITE = 250_000
TIME_FORMAT = "%Y-%m-%dT%H:%M:%S%.9fZ"


@dataclass(frozen=True)
class DayConfig:
    """Options of a generated day; the same values give the same bytes.

    Parameters
    ----------
    date
        The trading day in New York, 1970 to 2099. A weekend is allowed and treated like any day.
    seed
        At least 0.
    trades
        Total number of trades, including anomalies and auctions, at least 1.
    symbols
        Number of symbols, at least 1; beyond five, their characteristics repeat under other names.
    anomaly_rate
        Anomalies per trade, 0 to 0.2; a burst counts as one anomaly.
    """

    date: dt.date = dt.date(2026, 3, 2)
    seed: int = 7
    trades: int = 150_000
    symbols: int = 5
    anomaly_rate: float = 0.0005


def generate_day(config: DayConfig) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Generate a day's trades and the labels of its anomalies.

    Parameters
    ----------
    config
        Options of the day.

    Returns
    -------
    trades : polars.DataFrame
        `TRADE_COLUMNS` in order of `ts_event`, then `sequence`. Times are nanoseconds since 1970 (UTC),
        prices units of 1e-9 dollar. It has `config.trades` rows, or a few less if a short day has too few
        quiet places for a high rate of anomalies.
    labels : polars.DataFrame
        `LABEL_COLUMNS`, a row for each injected trade, in the order of the trades; units as in `trades`,
        `expected_size` with a fraction.

    Raises
    ------
    TapewatchError
        If a value of `config` is out of its range.
    """
    _check_config(config)
    rng = np.random.default_rng([config.seed, config.date.toordinal()])
    plan = plan_anomalies(rng, config.trades, config.anomaly_rate)
    normal = generate_trades(config.date, config.seed, config.trades - plan.rows, config.symbols)
    injected = inject_anomalies(rng, normal, plan, config.date)
    return merged_frames(rng, normal, injected, config.symbols, partial(_sequences, rng))


def write_day(config: DayConfig, output: Path, labels: Path, *, integers: bool = False) -> int:
    """Generate a day and write its trades and labels; each file appears whole or not at all.

    Parameters
    ----------
    config
        Options of the day.
    output
        File for the trades, `….csv` or `….csv.zst`; replaced if it exists.
    labels
        File for the labels, `….csv` or `….csv.zst`; always with ISO times and prices in dollars.
    integers
        Whether to write the trades' times as integer nanoseconds and prices in units of 1e-9 dollar, as
        Databento does without its options for readable prices and timestamps.

    Returns
    -------
    int
        Number of trades written.

    Raises
    ------
    TapewatchError
        If a value of `config` is out of its range, a file's folder is missing, its name does not end in
        `.csv` or `.zst`, both files are one, or a file cannot be written.
    """
    _check_config(config)
    _check_file(output, "--output")
    _check_file(labels, "--labels")
    if output.resolve() == labels.resolve():
        raise TapewatchError(
            f"--output and --labels both name {output}.",
            "Give the labels a separate file, such as labels.csv.",
        )
    trades, label_rows = generate_day(config)
    _write_csv(trades if integers else readable(trades), output)
    _write_csv(readable(label_rows), labels)
    return trades.height


def _check_config(config: DayConfig) -> None:
    """Reject values out of range.

    Raises
    ------
    TapewatchError
        Names the bad parameter.
    """
    if config.trades < 1:
        raise TapewatchError(f"A day cannot have {config.trades} trades.", "Ask for at least 1 trade.")
    if config.symbols < 1:
        raise TapewatchError(f"A day cannot have {config.symbols} symbols.", "Ask for at least 1 symbol.")
    if config.date.year not in _YEARS:
        raise TapewatchError(
            f"The date {config.date} is not in the years {_YEARS[0]} to {_YEARS[-1]}.",
            "Give a day such as 2026-03-02.",
        )
    if config.seed < 0:
        raise TapewatchError(f"The seed {config.seed} is negative.", "Give a seed of 0 or more.")
    if not (math.isfinite(config.anomaly_rate) and 0 <= config.anomaly_rate <= MAX_ANOMALY_RATE):
        raise TapewatchError(
            f"The anomaly rate {config.anomaly_rate} is not between 0 and {MAX_ANOMALY_RATE}.",
            "Give the anomalies per trade, such as 0.0005 for one in 2,000.",
        )


def _check_file(path: Path, flag: str) -> None:
    """Reject a path that cannot become a CSV file.

    Raises
    ------
    TapewatchError
        Names the file and its flag.
    """
    if path.suffix not in (".csv", ".zst"):
        raise TapewatchError(
            f"The file of {flag}, {path}, ends in neither .csv nor .zst.",
            "Name it ….csv for plain text or ….csv.zst for compressed text.",
        )
    if not path.parent.is_dir():
        raise TapewatchError(
            f"The folder {path.parent} of {flag} does not exist.", f"Create it: mkdir -p {path.parent}"
        )
    if path.is_dir():
        raise TapewatchError(f"{path} ({flag}) is a folder.", "Name a file in it instead.")


def merged_frames(
    rng: np.random.Generator,
    normal: SyntheticTrades,
    injected: InjectedTrades,
    symbols: int,
    sequences: Callable[[Ints, Bools], Ints],
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Merge normal and injected trades in the order of time, and label the injected ones.

    Parameters
    ----------
    rng
        Random generator (for flags and the times of receipt).
    normal, injected
        The trades.
    symbols
        Number of symbols.
    sequences
        Numbers the rows: from their times, and whether each begins an event, to ascending numbers.

    Returns
    -------
    trades, labels : polars.DataFrame
        As of `generate_day`.
    """

    def merged(name: str) -> Ints:
        return np.concatenate((getattr(normal, name), getattr(injected, name)))[order]

    order = np.argsort(np.concatenate((normal.ts_event_ns, injected.ts_event_ns)), kind="stable")
    ts_event_ns, symbol_codes = merged("ts_event_ns"), merged("symbol_codes")
    is_same_event = (np.diff(ts_event_ns) == 0) & (np.diff(symbol_codes) == 0)
    starts_event = np.append(True, ~is_same_event)
    ends_event = np.append(~is_same_event, True)
    sequence = sequences(ts_event_ns, starts_event)
    ts_recv_ns = _receive_times(rng, ts_event_ns, starts_event)
    instrument_ids = FIRST_INSTRUMENT_ID + symbol_codes
    names = pl.Series([symbol_name(code) for code in range(symbols)], dtype=pl.String)
    trades = pl.DataFrame(
        {
            "ts_recv": ts_recv_ns,
            "ts_event": ts_event_ns,
            "rtype": np.zeros(len(order), np.uint8),
            "publisher_id": np.full(len(order), PUBLISHER_ID, np.uint16),
            "instrument_id": instrument_ids.astype(np.uint32),
            "action": pl.repeat("T", len(order), eager=True),
            "side": pl.Series(SIDE_LETTERS).gather(merged("side_codes")),
            "depth": np.zeros(len(order), np.uint8),
            "price": merged("price_nanos"),
            "size": merged("size_shares"),
            "flags": _flags(rng, ends_event),
            "ts_in_delta": ts_recv_ns - ts_event_ns,
            "sequence": sequence,
            "symbol": names.gather(symbol_codes),
        }
    )
    rows = np.flatnonzero(order >= len(normal))
    return trades, _labels(trades, rows, injected, order[rows] - len(normal))


def _sequences(rng: np.random.Generator, ts_event_ns: Ints, starts_event: Bools) -> Ints:
    """Return ascending numbers like a venue's, which numbers all its messages: by 1 within an event."""
    gap_s = np.diff(ts_event_ns, prepend=ts_event_ns[0]) / NS_PER_S
    other_messages = (gap_s * _MESSAGES_PER_S * rng.uniform(0.5, 1.5, len(ts_event_ns))).astype(np.int64)
    return _FIRST_SEQUENCE + np.cumsum(1 + np.where(starts_event, other_messages, 0))


def _receive_times(rng: np.random.Generator, ts_event_ns: Ints, starts_event: np.ndarray) -> Ints:
    """Add the latency to the recorder, about 170 microseconds; events arrive whole and in order."""
    way_ns = (166_200 + 4_000 * rng.lognormal(0, 1.05, int(starts_event.sum()))).astype(np.int64)
    return np.maximum.accumulate(ts_event_ns + way_ns[np.cumsum(starts_event) - 1])


def _flags(rng: np.random.Generator, ends_event: np.ndarray) -> np.ndarray:
    """Set Databento's "last of its event" bit (128), usually with bit 2, as on real days."""
    last_flags = np.array([130, 128, 0], np.uint8)[rng.choice(3, len(ends_event), p=[0.69, 0.19, 0.12])]
    return np.where(ends_event, last_flags, 0).astype(np.uint8)


def _labels(trades: pl.DataFrame, rows: Ints, injected: InjectedTrades, injected_rows: Ints) -> pl.DataFrame:
    """Label the injected trades; `rows` are their rows in `trades`, `injected_rows` those in `injected`."""
    events, event_ordinals = np.unique(injected.event_numbers[injected_rows], return_inverse=True)
    # Numbered in order of time, not of generation.
    first_seen = np.full(len(events), len(rows))
    np.minimum.at(first_seen, event_ordinals, np.arange(len(rows)))
    event_ids = 1 + np.argsort(np.argsort(first_seen))[event_ordinals]
    kinds = pl.Series(MOST_WANTED).gather(injected.kind_codes[injected_rows])
    return trades[rows].select(
        pl.format(
            "{}-{}-{}-{}",
            "publisher_id",
            "instrument_id",
            pl.from_epoch("ts_event", time_unit="ns").dt.strftime("%Y%m%d"),
            "sequence",
        ).alias("trade_id"),
        pl.format("{}-{}", kinds, pl.Series(event_ids).cast(pl.String).str.zfill(4)).alias("event_id"),
        kinds.alias("kind"),
        "symbol",
        "ts_event",
        "price",
        "size",
        pl.Series("expected_price", injected.expected_price_nanos[injected_rows], dtype=pl.Int64),
        pl.Series("expected_size", injected.expected_size_shares[injected_rows], dtype=pl.Float64),
    )


def readable(frame: pl.DataFrame) -> pl.DataFrame:
    """Convert integer times to datetimes and integer prices to dollars, for the CSV writer to format."""
    # Nine decimals of a double are exact up to a million dollars: it holds 15 digits.
    return frame.with_columns(
        pl.from_epoch(pl.col("^ts_(event|recv)$"), time_unit="ns"), pl.col("^(expected_)?price$") / 1e9
    )


def _write_csv(frame: pl.DataFrame, path: Path) -> None:
    """Write a frame as CSV in slices, so that the text of a long day is never in memory as a whole."""
    with _atomic_writer(path) as write:
        for start in range(0, max(1, frame.height), _ROWS_PER_WRITE):
            text = io.BytesIO()
            frame.slice(start, _ROWS_PER_WRITE).write_csv(
                text, include_header=start == 0, datetime_format=TIME_FORMAT, float_precision=9
            )
            write(text.getvalue())


@contextmanager
def _atomic_writer(path: Path) -> Iterator[Callable[[bytes], int]]:
    """Write a file under a temporary name and rename it when everything is written.

    Parameters
    ----------
    path
        The file's name; zstd-compressed if it ends in `.zst`.

    Yields
    ------
    callable
        Writes bytes.

    Raises
    ------
    TapewatchError
        If the file cannot be written; then nothing is left behind.
    """
    with (
        replaced_when_done(path) as unfinished,
        unfinished.open("wb") as raw,
        _maybe_compressed(raw, path) as file,
    ):
        yield file.write


@contextmanager
def _maybe_compressed(raw: BinaryIO, path: Path) -> Iterator[BinaryIO]:
    """Yield a writer into `raw` that compresses if `path` ends in `.zst`."""
    if path.suffix != ".zst":
        yield raw
        return
    with zstandard.ZstdCompressor(level=3).stream_writer(raw, closefd=False) as compressed:
        yield compressed
