"""`tapewatch features`: the features of past trades as Parquet."""

import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from polars.io.plugins import register_io_source
from rich.console import Console
from rich.progress import TaskID

from services.common.errors import TapewatchError
from services.common.process.atomic_file import replaced_when_done
from services.detector.engine.batch import BAR
from services.detector.features.registry import NAMES
from services.detector.offline.backtest.run import progress_bar
from services.detector.offline.decode import DecodedChunk, decode_chunk
from services.detector.offline.features.extract import Extracted, FeatureExtraction
from services.detector.profiles.profile import load_profile
from services.sources.base import Source

SCHEMA: dict[str, pl.DataType] = {
    "symbol": pl.String(),
    "trade_id": pl.String(),
    "time": pl.Datetime("ns", "UTC"),
    "kind": pl.String(),
    "price": pl.Float64(),
    "size": pl.Float64(),
    "late_s": pl.Float64(),
    **dict.fromkeys(NAMES, pl.Float64()),
}
"""Columns of the table: what a trade is, and its features, null where one is not defined."""

_ENDINGS = re.compile(r"(\.(csv|dbn|parquet|zip|zst|gz|bz2|xz|lzma))+$", re.IGNORECASE)


def run_features(sources: Sequence[Source], output: Path, profile_name: str | None) -> int:
    """Write a Parquet file of features for each source, and how many to stderr.

    The trades pass through the same JSON as in the live pipeline, so their features are what a detector would
    compute, to the last bit. A session may go on from one source to the next.

    Parameters
    ----------
    sources
        Where the trades come from, in the order of their times.
    output
        Folder for the files; each is replaced only when it is complete.
    profile_name
        Name of a built-in profile, or a file; None for the default.

    Raises
    ------
    TapewatchError
        A file has no valid trades or cannot be written, two would have the same name, or the profile is
        invalid.
    """
    files = [output / f"{file_name(source)}.parquet" for source in sources]
    for path, count in Counter(files).items():
        if count > 1:
            raise TapewatchError(
                f"{count} of the inputs would be written to {path}.", "Rename them, or run them one by one."
            )
    profile = load_profile(profile_name)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TapewatchError(
            f"The folder {output} cannot be made: {error.strerror}.", "Name another one with --output."
        ) from error
    extraction = FeatureExtraction(profile)
    console = Console(stderr=True)
    with progress_bar(console) as bar:
        for source, path in zip(sources, files, strict=True):
            began_s = time.monotonic()
            task = bar.add_task(source.name, total=source.size)
            rows = rejected = 0

            def frames(
                columns: list[str] | None, *_: Any, source: Source = source, task: TaskID = task
            ) -> Iterator[pl.DataFrame]:
                nonlocal rows, rejected
                for chunk in source.chunks():
                    decoded = decode_chunk(source, chunk, extraction.time_zone)
                    rejected += decoded.rejected
                    for frame in _frames(decoded, extraction):
                        rows += len(frame)
                        yield frame if columns is None else frame.select(columns)
                    bar.update(task, completed=chunk.position, description=f"{source.name}: {rows:,} rows")

            with replaced_when_done(path) as unfinished:
                register_io_source(frames, schema=SCHEMA).sink_parquet(
                    unfinished, metadata={"profile": profile.hash}, maintain_order=True
                )
            seconds = time.monotonic() - began_s
            console.print(
                f"{path}: {rows:,} rows in {seconds:.1f} s ({rows / max(seconds, 1e-9):,.0f} a second)"
                + (f"; {rejected:,} rows of the input are no trades" if rejected else ""),
                highlight=False,
                soft_wrap=True,
            )
    unjudged = extraction.out_of_order.unjudged
    if unjudged:
        console.print(f"Repeated or too late, so without features: {unjudged:,}.", style="yellow")
    return 0


def file_name(source: Source) -> str:
    """Return how a source's file of features is called, without its ending."""
    return re.sub(r"[^\w.-]+", "-", _ENDINGS.sub("", source.name)).strip("-.") or "trades"


def _frames(decoded: DecodedChunk, extraction: FeatureExtraction) -> Iterator[pl.DataFrame]:
    """Return the rows of a chunk, in the order of its trades unless some of them are late."""
    for found in extraction.extract(decoded.columns):
        yield _frame(decoded, found)


def _frame(decoded: DecodedChunk, found: Extracted) -> pl.DataFrame:
    places = found.places.tolist()
    columns = decoded.columns
    is_bar = columns.eligible[found.places] & BAR != 0
    frame = {
        "symbol": [columns.symbol[at] for at in places],
        "trade_id": [decoded.trades[at].trade_id for at in places],
        "time": columns.event_ns[found.places],
        "kind": np.where(is_bar, "bar", "trade").tolist(),
        "price": columns.price[found.places],
        "size": columns.size[found.places],
        "late_s": found.late_s,
        **{name: found.values[:, number] for number, name in enumerate(NAMES)},
    }
    return pl.DataFrame(frame, schema_overrides={"time": pl.Int64()}, nan_to_null=True).with_columns(
        pl.col("time").cast(SCHEMA["time"])
    )
