"""The synthetic day: its format, its market, its labelled anomalies, and that a seed repeats it."""

import datetime as dt
import io
import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import databento
import numpy as np
import polars as pl
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.errors import TapewatchError
from services.sources.synthetic.day import LABEL_COLUMNS, TRADE_COLUMNS, DayConfig, generate_day, write_day
from services.sources.synthetic.kinds import KINDS
from services.sources.synthetic.trades import symbol_name
from tests.narrow import number

HEADER = (
    "ts_recv,ts_event,rtype,publisher_id,instrument_id,action,side,depth,"
    "price,size,flags,ts_in_delta,sequence,symbol"
)
REAL_DAYS = Path(__file__).parents[6] / "shared" / "data"
CENT_NANOS = 10_000_000
MS_NS = 1_000_000
MINUTE_NS = 60_000 * MS_NS


@pytest.fixture(scope="module")
def day() -> tuple[pl.DataFrame, pl.DataFrame]:
    return generate_day(DayConfig(trades=120_000))


@pytest.fixture(scope="module")
def trades(day: tuple[pl.DataFrame, pl.DataFrame]) -> pl.DataFrame:
    return day[0]


@pytest.fixture(scope="module")
def labels(day: tuple[pl.DataFrame, pl.DataFrame]) -> pl.DataFrame:
    return day[1]


@pytest.fixture(scope="module")
def many_labels() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return a day with thousands of anomalies, each joined to its symbol's trades around it."""
    return generate_day(DayConfig(trades=120_000, anomaly_rate=0.02, seed=11))


def with_ids(trades: pl.DataFrame) -> pl.DataFrame:
    day_utc = pl.from_epoch("ts_event", time_unit="ns").dt.strftime("%Y%m%d")
    return trades.with_columns(
        pl.concat_str("publisher_id", "instrument_id", day_utc, "sequence", separator="-").alias("trade_id")
    )


def with_neighbours(trades: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    neighbours = with_ids(trades).select(
        "trade_id",
        pl.col("price").shift(1).over("symbol").alias("price_before"),
        pl.col("price").shift(-1).over("symbol").alias("price_after"),
    )
    return labels.join(neighbours, on="trade_id", how="left")


def new_york(trades: pl.DataFrame) -> pl.Series:
    utc = pl.from_epoch(trades["ts_event"], time_unit="ns").dt.replace_time_zone("UTC")
    return utc.dt.convert_time_zone("America/New_York")


def minutes_of_day(trades: pl.DataFrame) -> np.ndarray:
    clock = new_york(trades)
    return (clock.dt.hour().cast(pl.Int64) * 60 + clock.dt.minute().cast(pl.Int64)).to_numpy()


def read_text(path: Path) -> str:
    content = path.read_bytes()
    if path.suffix == ".zst":
        content = zstandard.ZstdDecompressor().stream_reader(content).read()
    return content.decode()


def assert_is_valid_day(trades: pl.DataFrame, symbols: int) -> None:
    assert tuple(trades.columns) == TRADE_COLUMNS
    assert trades.null_count().sum_horizontal().item() == 0
    assert (np.diff(trades["ts_event"].to_numpy()) >= 0).all()
    assert (np.diff(trades["ts_recv"].to_numpy()) >= 0).all()
    assert (np.diff(trades["sequence"].to_numpy()) > 0).all()
    assert number(trades["sequence"].max()) < 2**32  # what Databento's format can hold
    assert (trades["price"] > 0).all()
    assert (trades["price"] % (CENT_NANOS // 2) == 0).all()
    assert (trades.filter(pl.col("side") != "N")["price"] % CENT_NANOS == 0).all()
    assert (trades["size"] >= 1).all()
    assert set(trades["side"]) <= {"A", "B", "N"}
    assert set(trades["flags"]) <= {0, 128, 130}
    assert (trades["ts_recv"] - trades["ts_event"] == trades["ts_in_delta"]).all()
    assert set(trades["symbol"]) <= {symbol_name(index) for index in range(symbols)}
    clock = minutes_of_day(trades)
    assert clock.min() >= 4 * 60
    assert clock.max() < 20 * 60


# ---- format


def test_a_file_looks_like_databentos(tmp_path: Path) -> None:
    written = write_day(DayConfig(trades=3_000), tmp_path / "day.csv", tmp_path / "labels.csv")
    lines = read_text(tmp_path / "day.csv").splitlines()
    assert lines[0] == HEADER
    assert len(lines) - 1 == written == 3_000
    time = r"2026-03-0[23]T\d\d:\d\d:\d\d\.\d{9}Z"
    row = re.compile(
        rf"{time},{time},0,2,2000[1-5],T,[ABN],0,\d+\.\d{{9}},\d+,(0|128|130),\d+,\d+,(ACME|BOLT|CRUX|DYNA|EMBR)"
    )
    assert all(row.fullmatch(line) for line in lines[1:])


def test_the_columns_are_those_of_databentos_trade_records() -> None:
    fields = {field for field in dir(databento.TradeMsg) if not field.startswith(("_", "pretty_"))}
    assert set(TRADE_COLUMNS) - {"symbol"} <= fields


def test_a_name_in_zst_is_compressed_with_the_same_content(tmp_path: Path) -> None:
    config = DayConfig(trades=2_000)
    write_day(config, tmp_path / "day.csv", tmp_path / "labels.csv")
    write_day(config, tmp_path / "day.csv.zst", tmp_path / "labels.csv.zst")
    assert (tmp_path / "day.csv.zst").read_bytes()[:4] == b"\x28\xb5\x2f\xfd"
    assert read_text(tmp_path / "day.csv.zst") == read_text(tmp_path / "day.csv")
    assert read_text(tmp_path / "labels.csv.zst") == read_text(tmp_path / "labels.csv")


def test_integers_are_the_readable_values(tmp_path: Path) -> None:
    config = DayConfig(trades=2_000)
    write_day(config, tmp_path / "day.csv", tmp_path / "labels.csv")
    write_day(config, tmp_path / "raw.csv", tmp_path / "raw-labels.csv", integers=True)
    readable = pl.read_csv(tmp_path / "day.csv", schema_overrides={"price": pl.String})
    raw = pl.read_csv(tmp_path / "raw.csv")
    assert raw.columns == readable.columns
    assert raw["price"].dtype == pl.Int64
    # Text to text: no binary fraction in between.
    assert readable["price"].str.replace(".", "", literal=True).cast(pl.Int64).equals(raw["price"])
    for column in ("ts_recv", "ts_event"):
        times = readable[column].str.to_datetime("%Y-%m-%dT%H:%M:%S%.9fZ", time_unit="ns")
        assert times.cast(pl.Int64).equals(raw[column])
    assert read_text(tmp_path / "raw-labels.csv") == read_text(tmp_path / "labels.csv")


def test_a_long_day_is_written_whole_in_slices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = DayConfig(trades=2_500)
    write_day(config, tmp_path / "once.csv", tmp_path / "labels.csv")
    monkeypatch.setattr("services.sources.synthetic.day._ROWS_PER_WRITE", 1_000)
    write_day(config, tmp_path / "sliced.csv", tmp_path / "labels.csv")
    assert read_text(tmp_path / "sliced.csv") == read_text(tmp_path / "once.csv")


# ---- the seed


def test_a_seed_repeats_the_bytes_and_another_does_not(tmp_path: Path) -> None:
    contents = []
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        output, labels = tmp_path / f"{name}.csv.zst", tmp_path / f"{name}-labels.csv"
        write_day(DayConfig(trades=20_000, seed=seed), output, labels)
        contents.append((output.read_bytes(), labels.read_bytes()))
    assert contents[0] == contents[1]
    assert contents[0][0] != contents[2][0]
    assert contents[0][1] != contents[2][1]


def test_another_date_is_another_day() -> None:
    first, _ = generate_day(DayConfig(trades=1_000))
    second, _ = generate_day(DayConfig(trades=1_000, date=dt.date(2026, 3, 3)))
    assert not first["price"].equals(second["price"])


# ---- the market


def test_a_day_is_valid(trades: pl.DataFrame) -> None:
    assert_is_valid_day(trades, symbols=5)


@pytest.mark.parametrize("count", [1, 2, 7, 49, 1_000, 30_000])
def test_a_day_has_the_trades_asked_for(count: int) -> None:
    assert generate_day(DayConfig(trades=count))[0].height == count


def test_symbols_beyond_five_repeat_the_characters_under_other_names() -> None:
    trades, _ = generate_day(DayConfig(trades=20_000, symbols=12))
    expected = [
        "ACME",
        "BOLT",
        "CRUX",
        "DYNA",
        "EMBR",
        "ACMEB",
        "BOLTB",
        "CRUXB",
        "DYNAB",
        "EMBRB",
        "ACMEC",
        "BOLTC",
    ]
    assert sorted(set(trades["symbol"])) == sorted(expected)
    pairs = trades.select("symbol", "instrument_id").unique()
    assert pairs.height == pairs["instrument_id"].n_unique() == 12


def test_names_of_symbols_never_repeat() -> None:
    names = [symbol_name(index) for index in range(5_000)]
    assert len(set(names)) == 5_000


def test_the_symbols_have_different_characters(trades: pl.DataFrame) -> None:
    by_symbol = {
        symbol: (rows.height, number(rows["price"].median()) / 1e9, number(rows["size"].median()))
        for (symbol,), rows in trades.group_by("symbol")
    }
    assert by_symbol["ACME"][0] > 50_000
    assert by_symbol["DYNA"][0] < 2_000
    assert 3 < by_symbol["CRUX"][1] < 5
    assert 3_000 < by_symbol["EMBR"][1] < 4_000
    assert by_symbol["EMBR"][2] < by_symbol["ACME"][2] < by_symbol["CRUX"][2]


@pytest.mark.parametrize(
    ("date", "offset"),
    [
        (dt.date(2026, 3, 6), "14:30"),  # standard time
        (dt.date(2026, 3, 9), "13:30"),  # the Monday after clocks went forward
        (dt.date(2026, 10, 30), "13:30"),
        (dt.date(2026, 11, 2), "14:30"),
        (dt.date(2026, 3, 8), "13:30"),  # the Sunday of the change itself
    ],
)
def test_the_crosses_keep_new_york_time(date: dt.date, offset: str) -> None:
    trades, _ = generate_day(DayConfig(date=date, trades=3_000))
    largest = trades.filter(pl.col("symbol") == "ACME").top_k(2, by="size").sort("ts_event")
    opening, closing = pl.from_epoch(largest["ts_event"], time_unit="ns").to_list()
    assert opening.strftime("%H:%M") == offset
    assert opening.date() == date
    assert closing - opening == pytest.approx(dt.timedelta(hours=6, minutes=30), abs=dt.timedelta(seconds=3))


def test_every_symbol_has_two_huge_crosses_of_side_n(trades: pl.DataFrame) -> None:
    clock = new_york(trades)
    zone = ZoneInfo("America/New_York")
    for (symbol,), rows in trades.with_columns(clock.alias("clock")).group_by("symbol"):
        largest = rows.filter(pl.col("side") == "N").top_k(2, by="size").sort("ts_event")
        opening, closing = largest["clock"].to_list()
        assert (
            dt.timedelta(0) < opening - dt.datetime(2026, 3, 2, 9, 30, tzinfo=zone) < dt.timedelta(seconds=3)
        )
        assert dt.timedelta(0) < closing - dt.datetime(2026, 3, 2, 16, tzinfo=zone) < dt.timedelta(seconds=1)
        assert largest["size"][1] > 0.2 * number(rows["size"].sum()), symbol
        assert largest["size"][0] > 0.02 * number(rows["size"].sum()), symbol


def test_trading_has_the_shape_of_a_u(trades: pl.DataFrame) -> None:
    clock = minutes_of_day(trades)
    half_hours = np.bincount((clock - 4 * 60) // 30, minlength=32) / len(clock)
    regular = half_hours[11:24]
    assert regular[0] > 3 * regular[5:8].mean()
    assert regular[-1] > 1.5 * regular[5:8].mean()
    assert 0.01 < half_hours[:11].sum() < 0.12
    assert 0.003 < half_hours[24:].sum() < 0.05


def test_sweeps_share_their_time_side_and_almost_their_price(trades: pl.DataFrame) -> None:
    acme = trades.filter(pl.col("symbol") == "ACME")
    is_same = np.diff(acme["ts_event"].to_numpy()) == 0
    assert 0.4 < is_same.mean() < 0.6
    sides = acme["side"].to_numpy()
    both_known = is_same & (sides[1:] != "N") & (sides[:-1] != "N")
    assert (sides[1:] == sides[:-1])[both_known].all()
    moves = np.abs(np.diff(acme["price"].to_numpy()))[is_same]
    assert (moves == 0).mean() > 0.9


def test_prices_move_towards_the_aggressor_and_bounce(trades: pl.DataFrame) -> None:
    acme = trades.filter(pl.col("symbol") == "ACME")
    sides, moves = acme["side"].to_numpy(), np.diff(acme["price"].to_numpy())
    for before, after, sign in (("A", "B", 1), ("B", "A", -1), ("A", "A", -1), ("B", "B", 1)):
        chosen = moves[(sides[:-1] == before) & (sides[1:] == after)]
        assert (chosen * sign > 0).mean() > 1.5 * (chosen * sign < 0).mean()
    returns = np.diff(np.log(acme["price"].to_numpy()))
    assert np.corrcoef(returns[1:], returns[:-1])[0, 1] < 0


def test_sides_and_sizes_are_mixed_as_in_real_days(trades: pl.DataFrame) -> None:
    acme = trades.filter(pl.col("symbol") == "ACME")
    parts = dict(acme["side"].value_counts(normalize=True).rows())
    assert 0.15 < parts["N"] < 0.3
    assert abs(parts["A"] - parts["B"]) < 0.1
    sizes = acme["size"]
    assert 0.2 < number((sizes == 100).mean()) < 0.3
    assert 0.5 < number((sizes < 100).mean()) < 0.7
    assert number(sizes.quantile(0.99)) > 500
    assert (sizes > 5_000).sum() > 5


def test_volatile_minutes_come_together() -> None:
    trades, _ = generate_day(DayConfig(trades=60_000, symbols=1, anomaly_rate=0.0))
    minute = trades["ts_event"] // MINUTE_NS
    closes = trades.group_by(minute.alias("minute"), maintain_order=True).agg(pl.col("price").last())
    clock = minutes_of_day(trades.filter(minute.is_first_distinct()))
    moves = np.abs(np.diff(np.log(closes["price"].to_numpy())))[(clock[1:] > 570) & (clock[1:] < 960)]
    assert moves[:30].mean() > 1.5 * moves[150:300].mean()


# ---- the anomalies


def test_labels_name_existing_trades_with_their_values(trades: pl.DataFrame, labels: pl.DataFrame) -> None:
    assert tuple(labels.columns) == LABEL_COLUMNS
    identified = with_ids(trades)
    assert identified["trade_id"].n_unique() == trades.height
    columns = ["trade_id", "symbol", "ts_event", "price", "size"]
    joined = labels.select(columns).join(identified.select(columns), on=columns, how="inner")
    assert joined.height == labels.height == labels["trade_id"].n_unique()


def test_written_labels_point_into_the_written_trades(tmp_path: Path) -> None:
    write_day(DayConfig(trades=20_000), tmp_path / "day.csv.zst", tmp_path / "labels.csv")
    text = {"price": pl.String, "ts_event": pl.String}
    trades = pl.read_csv(io.StringIO(read_text(tmp_path / "day.csv.zst")), schema_overrides=text)
    labels = pl.read_csv(tmp_path / "labels.csv", schema_overrides=text)
    assert tuple(labels.columns) == LABEL_COLUMNS
    columns = ["sequence", "symbol", "ts_event", "price", "size"]
    keyed = labels.with_columns(
        pl.col("trade_id").str.split("-").list.last().cast(pl.Int64).alias("sequence")
    )
    assert (
        keyed.select(columns).join(trades.select(columns), on=columns, how="inner").height
        == labels.height
        > 0
    )


def test_a_trade_after_midnight_utc_is_named_after_the_utc_day() -> None:
    trades, labels = generate_day(DayConfig(trades=50_000, symbols=1, anomaly_rate=0.2, seed=5))
    late = labels.filter(pl.col("trade_id").str.contains("-20260303-"))
    assert late.height > 0
    assert (pl.from_epoch(late["ts_event"], time_unit="ns").dt.date() == dt.date(2026, 3, 3)).all()
    assert set(late["trade_id"]) <= set(with_ids(trades)["trade_id"])


def test_a_day_of_some_size_has_every_kind(labels: pl.DataFrame) -> None:
    assert set(labels["kind"]) == set(KINDS)
    events = labels["event_id"].n_unique()
    assert events == 60  # 0.05 % of 120,000


@pytest.mark.parametrize("seed", range(5))
def test_the_default_rate_gives_each_kind_from_20_000_trades_on(seed: int) -> None:
    _, labels = generate_day(DayConfig(trades=20_000, seed=seed))
    assert set(labels["kind"]) == set(KINDS)


def test_no_anomalies_on_request() -> None:
    trades, labels = generate_day(DayConfig(trades=5_000, anomaly_rate=0.0))
    assert trades.height == 5_000
    assert labels.height == 0
    assert tuple(labels.columns) == LABEL_COLUMNS


@pytest.mark.parametrize(
    ("kinds", "least", "greatest"),
    [(("off_market", "off_market_fat_finger"), 0.004, 0.08), (("off_market_small",), 0.001, 0.004)],
)
def test_off_market_prices_are_off_and_return(
    many_labels: tuple[pl.DataFrame, pl.DataFrame], kinds: tuple[str, ...], least: float, greatest: float
) -> None:
    chosen = with_neighbours(*many_labels).filter(pl.col("kind").is_in(kinds))
    assert chosen.height > 100
    price, expected = chosen["price"].to_numpy(), chosen["expected_price"].to_numpy()
    off = price / expected - 1
    assert (np.abs(off) >= least - 1e-12).all()
    assert (np.abs(off) <= greatest + 1e-12).all()
    assert 0.4 < (off > 0).mean() < 0.6
    assert (chosen["price_before"].to_numpy() == expected).all()
    assert (np.abs(chosen["price_after"].to_numpy() - expected) < np.abs(price - expected) / 2).all()


def test_fat_fingers_are_huge_for_their_place(many_labels: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    chosen = with_neighbours(*many_labels).filter(pl.col("kind").str.contains("fat_finger"))
    size, expected = chosen["size"].to_numpy(), chosen["expected_size"].to_numpy()
    assert (size >= 1_500).all()
    assert (size >= 10 * expected).all()
    assert (size <= np.maximum(1_500, 40 * expected + 1)).all()
    pure = chosen.filter(pl.col("kind") == "fat_finger")
    assert (pure["price"] == pure["expected_price"]).all()


def test_stale_prices_are_those_of_a_quarter_to_half_an_hour_ago(
    many_labels: tuple[pl.DataFrame, pl.DataFrame],
) -> None:
    trades, labels = many_labels
    chosen = with_neighbours(*many_labels).filter(pl.col("kind") == "stale")
    natural = with_ids(trades).join(labels, on="trade_id", how="anti", maintain_order="left")
    assert chosen.height > 100
    away = (chosen["price"] / chosen["expected_price"] - 1).abs()
    assert (away >= 0.002 - 1e-12).all()
    columns = {
        symbol: (rows["ts_event"].to_numpy(), rows["price"].to_numpy())
        for (symbol,), rows in natural.group_by("symbol", maintain_order=True)
    }
    for label in chosen.iter_rows(named=True):
        times_ns, prices = columns[label["symbol"]]
        first = np.searchsorted(times_ns, label["ts_event"] - 31 * MINUTE_NS) - 1
        last = np.searchsorted(times_ns, label["ts_event"] - 15 * MINUTE_NS, side="right")
        assert label["price"] in prices[max(0, first) : last]


def test_bursts_are_dense_and_drift(many_labels: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    _, labels = many_labels
    bursts = labels.filter(pl.col("kind") == "burst").partition_by("event_id")
    assert len(bursts) > 10
    for burst in bursts:
        assert 40 <= burst.height <= 120
        assert burst["symbol"].n_unique() == 1
        assert burst["ts_event"][-1] - burst["ts_event"][0] <= 50 * MS_NS
        moved = burst["price"].to_numpy() - burst["expected_price"].to_numpy()
        assert abs(moved[-1]) >= 2 * CENT_NANOS
        assert (np.diff(moved) * np.sign(moved[-1]) >= 0).all()


def test_only_bursts_have_several_trades(many_labels: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    _, labels = many_labels
    counts = labels.group_by("event_id").agg(
        pl.len(), pl.col("kind").first(), pl.col("kind").n_unique().alias("n")
    )
    assert (counts["n"] == 1).all()
    assert (counts.filter(pl.col("kind") != "burst")["len"] == 1).all()


# ---- any small day


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**63),
    count=st.integers(1, 3_000),
    symbols=st.integers(1, 7),
    rate=st.sampled_from([0.0, 0.0005, 0.01, 0.2]),
    date=st.dates(dt.date(1990, 1, 1), dt.date(2099, 12, 31)),
)
def test_any_small_day_is_valid(seed: int, count: int, symbols: int, rate: float, date: dt.date) -> None:
    trades, labels = generate_day(
        DayConfig(date=date, seed=seed, trades=count, symbols=symbols, anomaly_rate=rate)
    )
    assert_is_valid_day(trades, symbols)
    assert trades.height <= count
    if rate <= 0.01:
        assert trades.height >= 0.97 * count - 3
    assert set(labels["trade_id"]) <= set(with_ids(trades)["trade_id"])
    assert set(new_york(trades).dt.date()) == {date}


# ---- what can go wrong


@pytest.mark.parametrize(
    "config",
    [
        DayConfig(trades=0),
        DayConfig(symbols=0),
        DayConfig(seed=-1),
        DayConfig(anomaly_rate=-0.1),
        DayConfig(anomaly_rate=0.21),
        DayConfig(anomaly_rate=float("nan")),
        DayConfig(date=dt.date(1969, 12, 31)),
        DayConfig(date=dt.date(2100, 1, 1)),
    ],
    ids=["trades", "symbols", "seed", "low rate", "high rate", "no rate", "early date", "late date"],
)
def test_a_value_out_of_range_is_rejected(config: DayConfig, tmp_path: Path) -> None:
    with pytest.raises(TapewatchError):
        generate_day(config)
    with pytest.raises(TapewatchError):
        write_day(config, tmp_path / "day.csv", tmp_path / "labels.csv")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("output", "labels", "named"),
    [
        ("missing/day.csv", "labels.csv", "missing"),
        ("day.csv", "missing/labels.csv", "missing"),
        ("day.txt", "labels.csv", "day.txt"),
        ("day.csv", "day.csv", "day.csv"),
        ("folder.csv", "labels.csv", "folder.csv"),
    ],
)
def test_a_file_that_cannot_be_is_rejected(tmp_path: Path, output: str, labels: str, named: str) -> None:
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(TapewatchError, match=named):
        write_day(DayConfig(trades=10), tmp_path / output, tmp_path / labels)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.csv"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, labels = tmp_path / "day.csv", tmp_path / "labels.csv"
    output.write_text("the file of before")
    calls = itertools.count()
    write_csv = pl.DataFrame.write_csv

    def full_disk(frame: pl.DataFrame, *args: Any, **options: Any) -> None:
        if next(calls) == 1:
            raise OSError(28, "No space left on device")
        write_csv(frame, *args, **options)

    monkeypatch.setattr("services.sources.synthetic.day._ROWS_PER_WRITE", 100)
    monkeypatch.setattr(pl.DataFrame, "write_csv", full_disk)
    with pytest.raises(TapewatchError, match="No space left"):
        write_day(DayConfig(trades=1_000), output, labels)
    assert output.read_text() == "the file of before"
    assert [path.name for path in tmp_path.iterdir()] == ["day.csv"]


def test_a_weekend_is_a_day_like_any() -> None:
    trades, _ = generate_day(DayConfig(date=dt.date(2026, 3, 7), trades=500))
    assert trades.height == 500


# ---- the real days, where they are


@pytest.mark.skipif(not REAL_DAYS.is_dir(), reason="the folder of real days, ../shared/data, is not there")
def test_a_real_day_has_the_same_header_and_like_statistics(trades: pl.DataFrame) -> None:
    real_text = read_text(sorted(REAL_DAYS.glob("*.trades.csv.zst"))[0])
    real = pl.read_csv(io.StringIO(real_text), columns=["ts_event", "price", "size", "side"])
    assert real_text.partition("\n")[0] == HEADER
    acme = trades.filter(pl.col("symbol") == "ACME")
    statistics: tuple[Callable[[pl.DataFrame], object], ...] = (
        lambda frame: (frame["ts_event"].diff() == frame["ts_event"].diff().min()).mean(),
        lambda frame: (frame["size"] == 100).mean(),
        lambda frame: (frame["size"] < 100).mean(),
        lambda frame: (frame["side"] == "N").mean(),
        lambda frame: (frame["price"].diff() == 0).mean(),
    )
    for statistic in statistics:
        times = pl.col("ts_event").str.to_datetime("%Y-%m-%dT%H:%M:%S%.9fZ", time_unit="ns").cast(pl.Int64)
        assert statistic(acme) == pytest.approx(statistic(real.with_columns(times)), abs=0.1)
