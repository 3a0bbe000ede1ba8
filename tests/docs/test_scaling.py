import re

import pytest

from infra.kubernetes.files import FOLDER
from infra.scaling import measured
from infra.scaling.tables import COLUMNS, TAPES, assumptions, row
from tests.docs.pages import ROOT, first_code, rows
from tests.unit.infra.kubernetes.manifests import CRD_FOLDER

DOCS = ROOT / "docs"
TEXT = (DOCS / "scaling.md").read_text()
TABLE = rows(TEXT)
PERFORMANCE = {
    line["what"]: line["figure"]
    for line in rows((DOCS / "performance.md").read_text())
    if {"what", "figure"} <= set(line)
}


def test_the_plans_are_what_the_code_computes() -> None:
    told = [line for line in TABLE if "tape" in line]
    assert told == [dict(zip(COLUMNS, row(tape), strict=True)) for tape in TAPES]


def test_the_assumptions_are_those_of_the_code() -> None:
    told = {first_code(line["assumption"]): line["value"] for line in TABLE if "assumption" in line}
    assert told == assumptions()


@pytest.mark.parametrize(
    ("value", "benchmark"),
    [
        (measured.DETECTOR_TRADES_PER_S, "service: detect on Kafka, transactions on"),
        (measured.PRODUCER_TRADES_PER_S, "producer: publish a generated day of 500,000 trades to Kafka"),
        (measured.INDEXER_TRADES_PER_S, "indexer: a real day of 221,402 trades, connections: 4"),
        (measured.BROKER_TRADES_PER_S, "producer: exactly once"),
        (measured.SYMBOL_KB, "pure detector, memory of a symbol"),
    ],
)
def test_a_measured_figure_is_that_of_the_benchmark_and_of_the_page(value: float, benchmark: str) -> None:
    assert PERFORMANCE[benchmark] == f"{value:,}"
    assert f"{value:,}" in {line["figure"] for line in TABLE if "figure" in line}


def test_elasticsearchs_figures_are_those_of_its_page() -> None:
    page = " ".join((DOCS / "elasticsearch.md").read_text().split())
    assert f"to {measured.INDEXED_BYTES_PER_TRADE} bytes a trade" in page
    assert f"to {measured.ELASTICSEARCH_US_PER_TRADE} µs of Elasticsearch's time a trade" in page
    assert "half as much on top while segments merge" in page
    assert measured.MERGING == 1.5


def test_every_manifest_is_described() -> None:
    described = set(re.findall(r"`([a-z-]+\.yaml)`", TEXT)) | {"namespace.yaml"}
    assert {path.name for path in FOLDER.glob("*.yaml")} == described
    assert CRD_FOLDER in TEXT
