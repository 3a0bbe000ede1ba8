import io
from dataclasses import replace

import pytest
from rich.console import Console

from infra.demo.progress import PipelineState
from infra.demo.receiver import Told
from infra.demo.view import ALERTS_SHOWN, PipelineView, alerts_table


def test_alerts_that_were_sent_are_counted_and_the_first_ones_shown() -> None:
    opened = tuple(
        {"severity": "critical", "symbol": f"SYM{number}", "message": f"Why {number}."} for number in range(9)
    )
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(alerts_table(Told(messages=12, opened=opened, repeats=0)))
    said = console.export_text()
    assert "9 alerts sent to the demo's own webhook, in 12 signed messages" in " ".join(said.split())
    assert "SYM4" in said
    assert "SYM5" not in said
    assert f"… and {9 - ALERTS_SHOWN} more" in said


@pytest.mark.parametrize("width", [60, 100, 200])
def test_an_alert_is_shown_whole_however_narrow_the_terminal_is(width: int) -> None:
    alert = {"severity": "critical", "symbol": "BTC-USD", "message": "word " * 30 + "end"}
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(alerts_table(Told(messages=1, opened=(alert,), repeats=0)))
    said = console.export_text()
    assert said.split().count("word") == 30
    assert {"critical", "BTC-USD", "end"} <= set(said.split())


NOTHING = Told(messages=0, opened=(), repeats=0)


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_service_that_does_not_read_yet_is_said_to_be_loading(is_terminal: bool) -> None:
    console = Console(width=200, record=True, file=io.StringIO(), force_terminal=is_terminal)
    with PipelineView(console, "a day", expected_trades=100) as view:
        view.show(PipelineState(trades=100, trades_indexed=10), NOTHING)
    assert "loading" in console.export_text()


def test_a_service_that_reads_has_a_lag() -> None:
    console = Console(width=200, record=True, file=io.StringIO())
    with PipelineView(console, "a day", expected_trades=100) as view:
        view.show(PipelineState(trades=100, detected=40, trades_indexed=10), NOTHING)
    said = console.export_text()
    assert "loading" not in said
    assert "lag 60" in said


def test_a_known_number_of_trades_is_shown_instead_of_offsets() -> None:
    state = PipelineState(trades=150_020, detected=150_020, trades_indexed=150_010).counting(150_000)
    assert (state.trades, state.detected, state.trades_indexed) == (150_000, 150_000, 149_990)
    assert state.is_caught_up is False


@pytest.mark.parametrize("is_terminal", [True, False])
def test_postgres_is_shown_where_its_sink_runs_and_only_there(is_terminal: bool) -> None:
    for stored in (None, 25):
        console = Console(width=200, record=True, file=io.StringIO(), force_terminal=is_terminal)
        with PipelineView(console, "a day", expected_trades=100) as view:
            view.show(PipelineState(trades=100, trades_stored=stored), NOTHING)
        assert ("in Postgres" in console.export_text()) is (stored is not None)


def test_the_demo_is_not_done_before_postgres_has_everything() -> None:
    done = PipelineState(trades=10, detected=10, trades_indexed=10, trades_stored=10)
    assert done.is_caught_up
    late = replace(done, trades_stored=7, storage_lag=3)
    assert not late.is_caught_up
    assert late.counting(9).trades_stored == 6
    assert PipelineState(trades=10).counting(9).trades_stored is None
