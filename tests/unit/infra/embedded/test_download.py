import errno
import hashlib
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from infra.embedded import download
from infra.embedded.download import REPOSITORY_VARIABLE, fetch_jars
from infra.embedded.jars import Jar
from infra.embedded.ports import free_port
from services.common.errors import TapewatchError

CONTENT = os.urandom(300_000)


class Repository(ThreadingHTTPServer):
    """A Maven repository in this process; tests set its content and its faults."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.contents: dict[str, bytes] = {}
        self.requested: list[str] = []
        self.cut_answers = 0
        self.failing_answers = 0

    def add(self, name: str, content: bytes = CONTENT) -> Jar:
        jar = Jar("org.example", name, "1", "", hashlib.sha256(content).hexdigest(), len(content))
        self.contents[f"/{jar.path}"] = content
        return jar


class Handler(BaseHTTPRequestHandler):
    server: Repository

    def do_GET(self) -> None:
        self.server.requested.append(self.path)
        content = self.server.contents.get(self.path)
        if content is None:
            self.send_error(404)
            return
        if self.server.failing_answers:
            self.server.failing_answers -= 1
            self.send_error(503)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.server.cut_answers:
            self.server.cut_answers -= 1
            content = content[:1000]
        self.wfile.write(content)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    with Repository() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setenv(REPOSITORY_VARIABLE, f"http://127.0.0.1:{server.server_port}/")
        monkeypatch.setattr(download, "RETRY_PAUSE_S", 0.01)
        yield server
        server.shutdown()


def files_below(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_fetches_what_is_missing(
    repository: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    jars = [repository.add(f"lib{number}", CONTENT + bytes([number])) for number in range(9)]
    paths = fetch_jars(jars, tmp_path)
    assert [path.read_bytes() for path in paths] == [CONTENT + bytes([number]) for number in range(9)]
    assert files_below(tmp_path) == [f"lib{number}-1.jar" for number in range(9)]
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "9 jars" in said


def test_fetches_nothing_twice(
    repository: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    jar = repository.add("lib")
    fetch_jars([jar], tmp_path)
    capsys.readouterr()
    fetch_jars([jar], tmp_path)
    assert len(repository.requested) == 1
    assert capsys.readouterr().err == ""


def test_fetches_a_damaged_jar_again(repository: Repository, tmp_path: Path) -> None:
    jars = [repository.add("good"), repository.add("bad")]
    (tmp_path / jars[1].path).parent.mkdir(parents=True)
    fetch_jars(jars[:1], tmp_path)
    (tmp_path / jars[1].path).write_bytes(CONTENT[:-1])
    paths = fetch_jars(jars, tmp_path)
    assert paths[1].read_bytes() == CONTENT
    assert len(repository.requested) == 2


def test_wrong_content_is_rejected_and_not_kept(repository: Repository, tmp_path: Path) -> None:
    jar = repository.add("lib")
    repository.contents[f"/{jar.path}"] = b"something else"
    with pytest.raises(TapewatchError, match="SHA-256") as caught:
        fetch_jars([jar], tmp_path)
    assert "org.example:lib:1 " in caught.value.cause
    assert REPOSITORY_VARIABLE in caught.value.hint
    assert files_below(tmp_path) == []


def test_missing_jar_is_named_with_the_answer_and_not_asked_for_again(
    repository: Repository, tmp_path: Path
) -> None:
    jar = repository.add("lib")
    repository.contents.clear()
    with pytest.raises(TapewatchError, match=r"org\.example:lib:1 .*404"):
        fetch_jars([jar], tmp_path)
    assert len(repository.requested) == 1


def test_cut_connection_is_tried_again(repository: Repository, tmp_path: Path) -> None:
    jar = repository.add("lib")
    repository.cut_answers = 1
    assert fetch_jars([jar], tmp_path)[0].read_bytes() == CONTENT
    assert files_below(tmp_path) == ["lib-1.jar"]


def test_connection_that_is_always_cut_leaves_nothing(repository: Repository, tmp_path: Path) -> None:
    jar = repository.add("lib")
    repository.cut_answers = 99
    with pytest.raises(TapewatchError, match="the connection was lost"):
        fetch_jars([jar], tmp_path)
    assert len(repository.requested) == download.ATTEMPTS
    assert files_below(tmp_path) == []


def test_busy_repository_is_tried_again(repository: Repository, tmp_path: Path) -> None:
    jar = repository.add("lib")
    repository.failing_answers = 2
    assert fetch_jars([jar], tmp_path)[0].read_bytes() == CONTENT


def test_one_failure_keeps_what_has_arrived(repository: Repository, tmp_path: Path) -> None:
    jars = [repository.add("present"), repository.add("absent")]
    fetch_jars(jars[:1], tmp_path)
    del repository.contents[f"/{jars[1].path}"]
    with pytest.raises(TapewatchError, match="absent"):
        fetch_jars(jars, tmp_path)
    assert files_below(tmp_path) == ["present-1.jar"]


def test_unreachable_repository(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(REPOSITORY_VARIABLE, f"http://127.0.0.1:{free_port()}")
    monkeypatch.setattr(download, "RETRY_PAUSE_S", 0)
    jar = Jar("org.example", "lib", "1", "", "0" * 64, 1)
    with pytest.raises(TapewatchError, match="could not be reached") as caught:
        fetch_jars([jar], tmp_path)
    assert "proxy" in caught.value.hint


def test_full_disk(repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jar = repository.add("lib")

    def fail(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(download, "_fetch_once", fail)
    with pytest.raises(TapewatchError, match="no space left"):
        fetch_jars([jar], tmp_path)


def test_two_at_once_do_not_hurt_each_other(repository: Repository, tmp_path: Path) -> None:
    jars = [repository.add(f"lib{number}", CONTENT + bytes([number])) for number in range(4)]
    threads = [threading.Thread(target=fetch_jars, args=(jars, tmp_path)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert files_below(tmp_path) == [f"lib{number}-1.jar" for number in range(4)]
    assert fetch_jars(jars, tmp_path)[3].read_bytes() == CONTENT + bytes([3])


def test_parts_of_killed_downloads_are_removed_once_they_are_old(
    repository: Repository, tmp_path: Path
) -> None:
    jar = repository.add("lib")
    folder = (tmp_path / jar.path).parent
    folder.mkdir(parents=True)
    (folder / "young.part").touch()
    (folder / "old.part").touch()
    a_day_ago = time.time() - 86_400
    os.utime(folder / "old.part", (a_day_ago, a_day_ago))
    fetch_jars([jar], tmp_path)
    assert files_below(tmp_path) == ["lib-1.jar", "young.part"]
