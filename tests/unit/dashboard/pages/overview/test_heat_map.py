import datetime as dt

from dashboard.pages.overview.heat_map import ALL, describe, heat_map
from dashboard.pages.overview.queries import to_cells
from services.contracts.anomaly import SEVERITY_COLORS, Severity
from tests.unit.dashboard.answers import OPEN, RANGE


def buckets(*counts: tuple[int, str, int]) -> list[dict[str, object]]:
    return [
        {
            "key": int((OPEN + dt.timedelta(minutes=minute)).timestamp() * 1000),
            "doc_count": count,
            "by_severity": {"buckets": [{"key": severity, "doc_count": count}]},
        }
        for minute, severity, count in counts
    ]


OVERALL = to_cells({"": buckets((0, "high", 9), (15, "low", 4))}, 900)
CELLS = to_cells(
    {"B": buckets((0, "high", 9)), "A": buckets((0, "low", 1), (15, "low", 4)), "C": buckets((15, "low", 1))},
    900,
)


def test_each_lane_is_a_symbol_and_the_one_on_top_is_all() -> None:
    datasets = heat_map(OVERALL, CELLS, ["B", "A", "C"], RANGE)["datasets"]
    assert datasets["lanes"]["name"].tolist() == [ALL, "B", "A", "C"]
    rows = datasets["cells"].to_dict("records")
    assert [(row["name"], row["bottom"] // 1) for row in rows] == [
        (ALL, 1),
        (ALL, 1),
        ("B", 2),
        ("A", 3),
        ("A", 3),
        ("C", 4),
    ]
    assert rows[0]["start"] == OPEN.timestamp() * 1000
    assert rows[0]["utc"] == "02 Mar 14:30:00 to 14:45:00"
    assert rows[0]["local"] == rows[0]["utc"]


def test_a_cell_is_higher_the_more_anomalies_it_has_and_stays_in_its_lane() -> None:
    rows = heat_map(OVERALL, CELLS, ["B", "A", "C"], RANGE)["datasets"]["cells"]
    lane = rows[rows["symbol"] != ""]
    heights = dict(zip(lane["count"], (lane["bottom"] - lane["top"]).round(6), strict=True))
    assert 0 < heights[1] < heights[4] < heights[9] < 1
    assert (lane["top"] > lane["bottom"].astype(int)).all()


def test_colours_are_those_of_the_severities() -> None:
    spec = heat_map(OVERALL, CELLS, ["B", "A", "C"], RANGE)
    scale = spec["layer"][0]["encoding"]["color"]["scale"]
    assert dict(zip(scale["domain"], scale["range"], strict=True)) == {
        str(severity): color for severity, color in SEVERITY_COLORS.items()
    }
    assert spec["layer"][0]["encoding"]["color"]["field"] == "severity"


def test_two_refreshes_differ_in_their_data_alone() -> None:
    first = heat_map(OVERALL, CELLS, ["B", "A", "C"], RANGE)
    second = heat_map(OVERALL, CELLS, ["A", "C", "B"], RANGE)
    assert first.pop("datasets") is not second.pop("datasets")
    assert first == second


def test_the_map_is_told_in_words() -> None:
    told = describe(OVERALL, {"B": {Severity.HIGH: 9}, "A": {Severity.LOW: 5}})
    assert told == (
        "Most anomalies, 9, were from 14:30:00 to 14:45:00 (UTC); the worst of them is high. "
        "The worst symbols are B with 9 high; A with 5 low."
    )
    assert describe(OVERALL.head(0), {}) == "The heat map is empty."
