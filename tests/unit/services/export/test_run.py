import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.common.errors import TapewatchError
from services.export import run
from services.export.index import Range, State
from services.export.partition import Page
from services.sources.exported.layout import UNFINISHED
from services.sources.files import expand_names
from tests.samples import trade_json

URL = "http://127.0.0.1:9"
DAY = dt.date(2024, 12, 2)
EVERYTHING = Range(None, None)


class Index:
    """What the index has, by symbol of the one day; the symbol "STOP" is where a person presses Ctrl-C."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **trades: list[bytes]) -> None:
        self.trades = trades
        self.read: list[str] = []
        monkeypatch.setattr(run, "indexed_days", self.days)
        monkeypatch.setattr(run, "indexed_symbols", self.symbols)
        monkeypatch.setattr(run, "documents", self.documents)

    def days(self, client: object, wanted: Range) -> dict[dt.date, int]:
        is_wanted = wanted.start is None or wanted.start <= DAY
        return {DAY: sum(map(len, self.trades.values()))} if self.trades and is_wanted else {}

    def symbols(self, client: object, wanted: Range, day: dt.date) -> Iterator[tuple[str, State]]:
        for symbol, trades in self.trades.items():
            yield symbol, State(len(trades), sum(range(len(trades))))

    def documents(self, client: object, wanted: Range, day: dt.date, symbol: str) -> Iterator[Page]:
        self.read.append(symbol)
        if symbol == "STOP":
            raise KeyboardInterrupt
        yield [(document, number) for number, document in enumerate(self.trades[symbol])]


def trades(number: int) -> list[bytes]:
    return [trade_json(one) for one in range(number)]


def test_what_is_unchanged_is_not_read_again_and_what_has_shrunk_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    index = Index(monkeypatch, A=trades(3), B=trades(2), C=trades(4))
    assert run.run_export(URL, tmp_path, EVERYTHING) == 0
    assert "9 trades written" in capsys.readouterr().err
    index.trades |= {"B": trades(5), "C": trades(1)}
    index.read.clear()
    assert run.run_export(URL, tmp_path, EVERYTHING) == 0
    told = capsys.readouterr().err
    assert "5 trades written" in told
    assert "files written: 1, up to date: 1." in told
    assert "more trades than the index has now: 1, such as" in told
    assert index.read == ["B"]


def test_ctrl_c_ends_with_130_and_the_same_command_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    index = Index(monkeypatch, A=trades(3), STOP=trades(1), Z=trades(2))
    assert run.run_export(URL, tmp_path, EVERYTHING) == 130
    assert "The same command resumes" in capsys.readouterr().err
    with pytest.raises(TapewatchError, match="is not finished"):
        expand_names([str(tmp_path)])
    index.trades = {"A": trades(3), "Z": trades(2)}
    index.read.clear()
    assert run.run_export(URL, tmp_path, EVERYTHING) == 0
    assert index.read == ["Z"]
    assert not (tmp_path / UNFINISHED).exists()


def test_documents_that_are_no_trades_are_told_and_do_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Index(monkeypatch, A=[*trades(2), trade_json(3, side="X\x1b[2J")])
    assert run.run_export(URL, tmp_path, EVERYTHING) == 0
    told = capsys.readouterr().err
    assert "no trades: 1." in told
    assert "\x1b" not in told


def test_an_index_without_trades_and_a_range_without_any_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = Index(monkeypatch, A=trades(1))
    with pytest.raises(TapewatchError, match=r"trades from 2025-01-01\. .* from 2024-12-02 to 2024-12-02"):
        run.run_export(URL, tmp_path / "out", Range(dt.date(2025, 1, 1), None))
    index.trades = {}
    with pytest.raises(TapewatchError, match=r"^No trades are indexed\."):
        run.run_export(URL, tmp_path / "out", EVERYTHING)
    assert not (tmp_path / "out").exists()
