import os
import signal
import sys
import threading
import time
from pathlib import Path
from unittest.mock import Mock

import pytest

from infra.docker import publish_days
from infra.docker.publish_days import Mistake, run, speed_flags, trade_files


@pytest.fixture(autouse=True)
def handlers() -> object:
    """Restore what handles signals."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


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
    monkeypatch.setattr(publish_days, "run", lambda _: pytest.fail("it was started"))
    assert publish_days.main({"SPEED": speed}) == 1
    assert f"SPEED is '{speed}'. Give a number above 0" in capsys.readouterr().err


def test_generated_day_is_not_published_beside_real_ones(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(publish_days, "GENERATED", tmp_path / "day.csv.zst")
    monkeypatch.setattr(publish_days, "LABELS", tmp_path / "labels.csv")
    monkeypatch.setattr(publish_days, "has_other_trades", lambda _: True)
    assert publish_days.main({}) == 1
    assert "has trades of files already" in capsys.readouterr().err
    monkeypatch.setattr(publish_days, "has_other_trades", lambda _: False)
    started = Mock(return_value=0)
    monkeypatch.setattr(publish_days, "run", started)
    assert publish_days.main({"SPEED": "60"}) == 0
    assert started.call_args[0][0][-4:] == ["produce", "--speed", "60", str(tmp_path / "day.csv.zst")]


def script(text: str) -> list[str]:
    return [sys.executable, "-c", text]


@pytest.mark.parametrize("code", [0, 1, 2])
def test_a_program_that_ends_by_itself_is_not_started_again(tmp_path: Path, code: int) -> None:
    log = tmp_path / "log"
    assert run(script(f"open({str(log)!r}, 'a').write('x'); raise SystemExit({code})"), pause_s=0) == code
    assert log.read_text() == "x"


def test_a_program_that_was_killed_is_started_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log"
    kill = f"import os; f = open({str(log)!r}, 'a'); f.write('x'); f.close(); os.kill(os.getpid(), 9)"
    assert run(script(kill), tries=3, pause_s=0) == 128 + signal.SIGKILL
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
    assert run(script(wait), pause_s=0) == 128 + signal.SIGTERM
    assert time.monotonic() - began_s < 30
