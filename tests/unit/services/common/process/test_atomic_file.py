import errno
import os
import stat
import threading
from pathlib import Path

import pytest

from services.common.errors import TapewatchError
from services.common.process.atomic_file import replaced_when_done


def test_a_file_is_replaced_only_when_done(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with replaced_when_done(path) as unfinished:
        unfinished.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"


def test_a_failure_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old")

    def interrupted() -> None:
        with replaced_when_done(path) as unfinished:
            unfinished.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [file.name for file in tmp_path.iterdir()] == ["a"]
    assert path.read_text() == "old"


def test_a_full_disk_is_reported(tmp_path: Path) -> None:
    def write_on_a_full_disk() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with (
        pytest.raises(TapewatchError, match="cannot be written: No space left"),
        replaced_when_done(tmp_path / "a"),
    ):
        write_on_a_full_disk()


def test_another_files_error_is_passed_on(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), replaced_when_done(tmp_path / "a"):
        (tmp_path / "other").read_text()


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    reader.start()
    with replaced_when_done(pipe) as given, given.open("wb") as file:
        file.write(b"new")
    reader.join(10)
    assert read == [b"new"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert [file.name for file in tmp_path.iterdir()] == ["pipe"]


def test_a_pipe_is_still_there_after_a_failure(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(KeyboardInterrupt), replaced_when_done(pipe):
        raise KeyboardInterrupt
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize("name", ["null", "link"])
def test_a_device_is_written_to_in_its_place_also_through_a_link(tmp_path: Path, name: str) -> None:
    device = Path("/dev/null")
    if name == "link":
        device = tmp_path / "link"
        device.symlink_to("/dev/null")
    # Nothing is written: if this went wrong, a test run by root would take the machine's device away.
    with replaced_when_done(device) as given:
        assert given == device
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    assert device.is_symlink() == (name == "link")


def test_a_full_device_is_reported_by_name() -> None:
    full = Path("/dev/full")
    if not full.is_char_device():
        pytest.skip("there is no /dev/full here")
    with (
        pytest.raises(TapewatchError, match="/dev/full cannot be written: No space left"),
        replaced_when_done(full) as given,
        given.open("wb") as file,
    ):
        file.write(b"new")


def test_a_link_stays_a_link_to_the_replaced_file(tmp_path: Path) -> None:
    target, link = tmp_path / "elsewhere" / "target", tmp_path / "link"
    target.parent.mkdir()
    target.write_text("old")
    link.symlink_to(target)
    with replaced_when_done(link) as unfinished:
        unfinished.write_text("new")
        assert target.read_text() == "old"
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert [file.name for file in target.parent.iterdir()] == ["target"]
