from pathlib import Path

import pytest

from benchmarks.peers.flink.peer import LOCK, PACKAGE
from benchmarks.peers.java import FLINK, KAFKA_STREAMS, LOCK_FILE, jdk_program, locked_jars
from benchmarks.peers.java import locked_version as locked_jar_version
from benchmarks.peers.python_packages import locked_version
from services.common.errors import TapewatchError


def test_machine_without_a_jdk_is_told_that_one_is_needed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TapewatchError, match="needs a JDK") as raised:
        jdk_program("javac")
    assert "JAVA_HOME" in raised.value.hint


def test_jdk_of_java_home_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "javac"
    program.parent.mkdir()
    program.touch(mode=0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert jdk_program("javac") == str(program)


def test_lock_has_both_engines_and_names_no_host() -> None:
    assert locked_jars(KAFKA_STREAMS)
    assert "://" not in LOCK_FILE.read_text()


def test_flinks_jars_fit_its_package() -> None:
    version = locked_version(LOCK, PACKAGE)
    assert locked_jar_version(FLINK, "flink-sql-gateway") == version
    connector = locked_jar_version(FLINK, "flink-sql-connector-kafka")
    assert version.startswith(connector.partition("-")[2] + ".")


def test_package_that_a_lock_lacks_is_named() -> None:
    with pytest.raises(LookupError, match="no such-package"):
        locked_version(LOCK, "such-package")
