import io
import os
import sys
import threading
from pathlib import Path

import pytest
import zstandard

from services.common.errors import TapewatchError
from services.sources.files import open_sources
from services.sources.spool import is_pipe, refuse_pipes
from tests.samples import row, write_csv


class Stdin(io.TextIOWrapper):
    def isatty(self) -> bool:
        return False


def named_pipe(path: Path, content: bytes) -> Path:
    os.mkfifo(path)
    threading.Thread(target=path.write_bytes, args=(content,), daemon=True).start()
    return path


def day(tmp_path: Path) -> bytes:
    return write_csv(tmp_path / "day.csv", [row(n) for n in range(5)]).read_bytes()


@pytest.mark.parametrize("compress", [bytes, zstandard.compress])
def test_trades_come_from_a_pipe(tmp_path: Path, compress: type) -> None:
    content = compress(day(tmp_path))
    [source] = open_sources([str(named_pipe(tmp_path / "pipe", content))])
    assert sum(len(chunk.trades) for chunk in source.chunks()) == 5
    assert sum(len(chunk.trades) for chunk in source.chunks()) == 5
    assert source.name == "pipe"


def test_trades_come_from_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Stdin(io.BytesIO(day(tmp_path))))
    [source] = open_sources(["-"])
    assert source.name == "stdin"
    assert sum(len(chunk.trades) for chunk in source.chunks()) == 5


def test_a_terminal_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    with pytest.raises(TapewatchError, match="is a terminal"):
        open_sources(["-"])


def test_an_empty_pipe_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TapewatchError, match="is empty"):
        open_sources([str(named_pipe(tmp_path / "pipe", b""))])


def test_publishing_a_pipe_is_refused_before_it_is_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("-", str(tmp_path / "pipe")):
        with pytest.raises(TapewatchError, match="is a pipe") as caught:
            refuse_pipes([name])
        assert "Write it to a file" in caught.value.hint


def test_a_file_and_a_missing_name_are_no_pipes(tmp_path: Path) -> None:
    assert not is_pipe(str(write_csv(tmp_path / "day.csv", [row(1)])))
    assert not is_pipe(str(tmp_path / "missing"))
