"""`tapewatch backtest`: the detector over files, without a broker."""

import datetime as dt
import os
import sys
import time
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from services.common.trade import NotATradeError, Trade, decode_trade
from services.detector.engine import Engine, anomaly_json
from services.detector.profile import load_profile
from services.producer.sources import open_sources
from services.producer.trade_ids import TradeIds
from services.producer.trade_json import to_json


def run_backtest(names: list[str], output: Path, profile_path: Path | None) -> int:
    """Write the anomalies of the named files, one JSON document a line, and a summary to stderr.

    The trades pass through the same JSON as in the live pipeline, so the anomalies are the same, to the
    last bit, `detected_at` aside.

    Parameters
    ----------
    names
        Files and globs.
    output
        The file to write; replaced only when all is done.
    profile_path
        What counts as unusual; None for the default.

    Raises
    ------
    TapewatchError
        A file is not trades, or the profile is wrong.
    """
    engine = Engine(load_profile(profile_path))
    sources = open_sources(names)
    labels: Counter[str] = Counter()
    trades_seen = anomalies_found = bad_rows = 0
    began_s = time.monotonic()
    unfinished = output.with_name(f".{output.name}.{os.getpid()}")
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    try:
        with (
            unfinished.open("wb") as file,
            Progress(*columns, console=console, disable=not sys.stderr.isatty()) as bar,
        ):
            for source in sources:
                task = bar.add_task(source.path.name)
                ids = TradeIds()
                for chunk in source.chunks():
                    bad_rows += len(chunk.bad_rows)
                    values, trades = _decode(to_json(chunk.trades, ids.name(chunk.trades)))
                    now = dt.datetime.now(dt.UTC)
                    for anomaly in engine.detect(trades):
                        file.write(anomaly_json(values[anomaly.at], anomaly, now) + b"\n")
                        labels.update(anomaly.fields["anomalies"])
                        anomalies_found += 1
                    trades_seen += len(values)
                    done = f"{trades_seen:,} trades, {anomalies_found:,} anomalies"
                    bar.update(task, description=f"{source.path.name}: {done}")
        unfinished.replace(output)
    finally:
        unfinished.unlink(missing_ok=True)
    seconds = time.monotonic() - began_s
    table = Table(title="Backtest", show_header=False, title_justify="left")
    table.add_row("trades", f"{trades_seen:,}")
    table.add_row("bad rows", f"{bad_rows:,}")
    table.add_row("late or repeated", f"{engine.late_trades:,}")
    table.add_row("anomalies", f"{anomalies_found:,}")
    for label, count in labels.most_common():
        table.add_row(f"  {label}", f"{count:,}")
    table.add_row("seconds", f"{seconds:.1f} ({trades_seen / seconds:,.0f} trades/s)")
    console.print(table)
    return 0


def _decode(values: list[bytes]) -> tuple[list[bytes], list[Trade]]:
    """Drop what the live detector refuses as well."""
    kept, trades = [], []
    for value in values:
        try:
            trades.append(decode_trade(value))
        except NotATradeError:
            continue
        kept.append(value)
    return kept, trades
