"""The tables of docs/scaling.md."""

import dataclasses

from infra.scaling.plan import Assumptions, Plan, Tape, plan

TAPES = (
    Tape("a few dozen symbols", 1_000_000, 5_000, 50),
    Tape("one venue's stocks", 20_000_000, 100_000, 8_000),
    Tape("the whole US tape", 100_000_000, 500_000, 11_000),
    Tape("three times the whole", 300_000_000, 1_500_000, 11_000),
    Tape("twenty times the whole", 2_000_000_000, 10_000_000, 11_000),
)

COLUMNS = (
    "tape",
    "trades a day",
    "peak a second",
    "partitions",
    "producers",
    "detectors",
    "indexers",
    "brokers",
    "nodes",
    "shards a day",
    "Kafka's disk",
    "Elasticsearch's disk",
    "memory of a detector",
    "busiest symbol",
)


def row(tape: Tape, chosen: Assumptions | None = None) -> list[str]:
    """Return a tape's row of the plans, as the page has it."""
    needed = plan(tape, chosen)
    return [
        tape.name,
        f"{tape.trades_per_day:,}",
        f"{tape.peak_per_s:,}",
        *(f"{number:,}" for number in _counts(needed)),
        _size(needed.kafka_gb),
        _size(needed.index_gb),
        _size(needed.detector_gb),
        f"{needed.busiest_symbol_load:.0%}" + ("" if needed.is_possible else ": not possible"),
    ]


def markdown(tapes: tuple[Tape, ...] = TAPES, chosen: Assumptions | None = None) -> str:
    """Return the table of plans."""
    lines = [COLUMNS, ("---", *["---:"] * (len(COLUMNS) - 1)), *(row(tape, chosen) for tape in tapes)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def assumptions() -> dict[str, str]:
    """Return the usual assumptions by name, as the page has them."""
    return {
        field.name: f"{getattr(Assumptions(), field.name):g}" for field in dataclasses.fields(Assumptions)
    }


def _counts(needed: Plan) -> list[int]:
    return [
        needed.partitions,
        needed.producers,
        needed.detectors,
        needed.indexers,
        needed.brokers,
        needed.nodes,
        needed.shards,
    ]


def _size(gigabytes: float) -> str:
    if gigabytes < 1:
        return f"{gigabytes * 1000:.0f} MB"
    if gigabytes < 1000:
        return f"{gigabytes:.0f} GB" if gigabytes >= 10 else f"{gigabytes:.1f} GB"
    return f"{gigabytes / 1000:.1f} TB"
