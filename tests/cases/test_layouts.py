"""The same tape in other layouts: the same trades, and the same print found."""

from pathlib import Path

import polars as pl
import pytest

from services.sources.mapped.mapping import Mapping, read_mapping
from tests.cases.backtest import run
from tests.cases.tape import COUNT, OFF_MARKET, nanos, tape

SPEC = "time=when,symbol=what,price=px,size=qty,side=how,unit=ns"


def write(folder: Path, layout: str) -> tuple[Path, Mapping | None]:
    """Write the tape; return the mapping that the layout needs."""
    rows = tape()
    times = [nanos(row["ts_event"]) for row in rows]
    prices = [float(row["price"]) for row in rows]
    if layout == "Massive":
        path = folder / "2026-01-02.csv"
        lines = ["ticker,conditions,exchange,participant_timestamp,price,sequence_number,sip_timestamp,size"]
        lines += [
            f'{row["symbol"]},"14,41",4,{time},{price},{number},{time},{row["size"]}.000000'
            for number, (row, time, price) in enumerate(zip(rows, times, prices, strict=True), 1)
        ]
        path.write_text("\n".join([*lines, ""]))
        return path, None
    frame = pl.DataFrame(
        {
            "when": times,
            "what": [row["symbol"] for row in rows],
            "px": prices,
            "qty": [int(row["size"]) for row in rows],
            "how": [{"A": "SELL", "B": "BUY", "N": ""}[row["side"]] for row in rows],
        }
    )
    if layout == "mapped CSV":
        frame.write_csv(folder / "tape.csv", separator=";")
        return folder / "tape.csv", read_mapping(SPEC)
    path = folder / "tape.parquet"
    if layout == "mapped Parquet":
        frame.write_parquet(path)
        return path, read_mapping(SPEC)
    frame.rename(
        dict(zip(frame.columns, ("ts_event", "symbol", "price", "size", "side"), strict=True))
    ).write_parquet(path)
    return path, None


@pytest.mark.parametrize("layout", ["Massive", "mapped CSV", "mapped Parquet", "Parquet of our own names"])
def test_backtest_finds_the_print_in_every_layout(tmp_path: Path, layout: str) -> None:
    path, mapping = write(tmp_path, layout)
    result = run([path], tmp_path, mapping)
    assert (result.trades, result.rejected) == (COUNT, 0)
    assert [anomaly["price"] for anomaly in result.anomalies] == [OFF_MARKET]
