import os
import signal
import sys
import threading
import time
from pathlib import Path
from unittest.mock import Mock

import pytest

from infra.docker import publish_days
from infra.docker.publish_days import CHECK, Mistake, Supervisor, speed_flags, trade_files
from services.common.errors import TapewatchError


@pytest.fixture(autouse=True)
def handlers() -> object:
    """Restore what handles signals."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def configured(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """Leave this process's log as it is."""
    configure = Mock()
    monkeypatch.setattr("services.common.process.logs.configure_logs", configure)
    return configure


def test_all_layouts_are_taken_and_nothing_else(tmp_path: Path) -> None:
    taken = ["a.csv", "b.CSV.ZST", "c.dbn", "d.dbn.zst", "e.csv.gz", "f.parquet", "g.zip", "h.csv.xz"]
    for name in (*taken, ".hidden.csv", "symbology.json", "README.md", "report.pdf"):
        (tmp_path / name).touch()
    (tmp_path / "folder.csv").mkdir()
    assert [path.name for path in trade_files(tmp_path, "/days")] == taken


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()
    with pytest.raises(Mistake, match=r"DATA_DIR is a file: /days/a\.csv\. Name the folder"):
        trade_files(tmp_path / "a.csv", "/days/a.csv")


def test_a_folder_without_trades_says_what_it_has(tmp_path: Path) -> None:
    with pytest.raises(Mistake, match="It is empty"):
        trade_files(tmp_path, "/days")
    for number in range(7):
        (tmp_path / f"{number}.pdf").touch()
    with pytest.raises(Mistake, match=r"It has 0.pdf, 1.pdf, .*4.pdf …\. Their names end in \.csv"):
        trade_files(tmp_path, "/days")


def test_what_the_containers_user_cannot_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.csv").touch()
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(
        Mistake, match=r"cannot read DATA_DIR, /days: no access to a.csv.* chmod -R a\+rX /days"
    ):
        trade_files(tmp_path, "/days")
    with pytest.raises(Mistake, match="No such file"):
        trade_files(tmp_path / "missing", "/days")


@pytest.mark.parametrize(
    ("speed", "flags"), [("", []), ("60", ["--speed", "60"]), ("0.5", ["--speed", "0.5"])]
)
def test_speed_is_passed_on(speed: str, flags: list[str]) -> None:
    assert speed_flags(speed) == flags


@pytest.mark.parametrize("speed", ["fast", "0", "-1", "inf", "nan"])
def test_a_wrong_speed_ends_before_anything_starts(
    speed: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Supervisor, "run", lambda *_: pytest.fail("it was started"))
    assert publish_days.main({"SPEED": speed}) == 1
    assert f"SPEED is '{speed}'. Give a number above 0" in capsys.readouterr().err


@pytest.mark.parametrize(("others", "code"), [(True, 1), (False, 0)])
def test_generated_day_is_not_published_beside_real_ones(
    others: bool, code: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish_days, "has_other_trades", lambda _: others)
    assert publish_days.check_nothing_else_is_there(Path("day.csv")) == code
    assert ("has other trades already" in capsys.readouterr().err) is others


def test_the_check_logs_as_the_producer_does(monkeypatch: pytest.MonkeyPatch, configured: Mock) -> None:
    monkeypatch.setattr(publish_days, "has_other_trades", lambda _: configured.assert_called_once())
    publish_days.check_nothing_else_is_there(Path("day.csv"))
    configured.assert_called_once_with("producer")


def test_what_prevents_the_check_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        publish_days, "has_other_trades", Mock(side_effect=TapewatchError("It cannot be.", "Do this."))
    )
    assert publish_days.check_nothing_else_is_there(Path("day.csv")) == 1
    assert "Error: It cannot be. Do this." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("codes", "code", "ran"),
    [([0, 0, 0], 0, ["generate", CHECK, "produce"]), ([0, 1], 1, ["generate", CHECK])],
)
def test_day_is_generated_and_checked_before_it_is_published(
    codes: list[int], code: int, ran: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    started = Mock(side_effect=codes)
    monkeypatch.setattr(Supervisor, "run", started)
    assert publish_days.main({"SPEED": "60"}) == code
    commands = [call[0][0] for call in started.call_args_list]
    assert [next(one for one in ran if one in command) for command in commands] == ran
    if code == 0:
        assert commands[-1][-4:] == ["produce", "--speed", "60", str(publish_days.GENERATED)]


def test_no_day_is_generated_beside_a_live_feed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Supervisor, "run", lambda *_: pytest.fail("it was started"))
    assert publish_days.main({"FEED": "coinbase:BTC-USD"}) == 0
    assert "no generated day is published beside it" in capsys.readouterr().out


def test_files_are_published_beside_a_live_feed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    started = Mock(return_value=0)
    monkeypatch.setattr(Supervisor, "run", started)
    monkeypatch.setattr(publish_days, "FOLDER", tmp_path)
    (tmp_path / "a.csv").touch()
    assert publish_days.main({"FEED": "coinbase:BTC-USD", "DATA_DIR": "/days"}) == 0
    assert started.call_args[0][0][-2:] == ["produce", str(tmp_path / "a.csv")]


def script(text: str) -> list[str]:
    return [sys.executable, "-c", text]


@pytest.mark.parametrize("code", [0, 1, 2])
def test_a_program_that_ends_by_itself_is_not_started_again(tmp_path: Path, code: int) -> None:
    log = tmp_path / "log"
    said = f"open({str(log)!r}, 'a').write('x'); raise SystemExit({code})"
    assert Supervisor(pause_s=0).run(script(said)) == code
    assert log.read_text() == "x"


def test_a_program_that_was_killed_is_started_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log"
    kill = f"import os; f = open({str(log)!r}, 'a'); f.write('x'); f.close(); os.kill(os.getpid(), 9)"
    assert Supervisor(tries=3, pause_s=0).run(script(kill)) == 128 + signal.SIGKILL
    assert log.read_text() == "xxx"
    assert "ended by signal 9; try 3 of 3" in capsys.readouterr().err


def test_a_stop_is_passed_on_and_ends_all(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    wait = f"import time; open({str(ready)!r}, 'w').close(); time.sleep(60)"

    def stop() -> None:
        while not ready.exists():
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=stop).start()
    began_s = time.monotonic()
    supervisor = Supervisor(pause_s=0)
    assert supervisor.run(script(wait)) == 128 + signal.SIGTERM
    assert time.monotonic() - began_s < 30
    assert supervisor.run(script("raise SystemExit(7)")) == 128 + signal.SIGTERM, "nothing starts after it"


def test_a_stop_in_a_pause_ends_all() -> None:
    supervisor = Supervisor(tries=2, pause_s=60)
    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGTERM)).start()
    began_s = time.monotonic()
    assert supervisor.run(script("import os; os.kill(os.getpid(), 9)")) == 128 + signal.SIGTERM
    assert time.monotonic() - began_s < 30
