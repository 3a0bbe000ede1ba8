from benchmarks.peers.comparing import Differences
from benchmarks.peers.figures import COLUMNS, Delay, Figures, Speed, Survival, as_table

WHOLE = Figures(
    "Engine 1",
    Speed(trades_per_s=123_456.7, processor_s=4.56, peak_bytes=789_000_000),
    Delay(start_s=2.34, p50_s=0.0312, p99_s=1.2, cores=0.456),
    Survival(20, Differences(1, 2, 1_003), caught_up_s=7.89),
)


def test_each_figure_has_its_column() -> None:
    table = as_table([WHOLE])
    cells = dict(zip(table.columns, table.rows[0], strict=True))
    assert cells == {
        "engine": "Engine 1",
        "trades/s": "123,457",
        "processor s a million": "4.6",
        "memory, MB": "789",
        "start, s": "2.3",
        "p50, ms": "31",
        "p99, ms": "1,200",
        "cores at 5,000/s": "0.46",
        "kills": "20",
        "lost": "1",
        "doubled": "2",
        "different": "1,003",
        "caught up, s": "7.9",
    }


def test_engine_that_cannot_run_says_why_and_has_no_figures() -> None:
    table = as_table([Figures("Engine 2", why_not="It needs a JDK."), WHOLE])
    assert table.rows[0] == ("Engine 2: It needs a JDK.", *[""] * (len(COLUMNS) - 1))
    assert table.rows[1][1] == "123,457"


def test_engine_that_never_caught_up_says_so() -> None:
    table = as_table([Figures("Engine 3", survival=Survival(20, Differences(9, 0, 0), None))])
    assert table.rows[0][-5:] == ("20", "9", "0", "0", "not in time")
