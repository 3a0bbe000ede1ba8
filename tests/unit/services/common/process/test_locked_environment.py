import sys
from pathlib import Path

import pytest

from services.common.errors import TapewatchError
from services.common.process.locked_environment import LockedEnvironment


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "requirements.lock"
    path.write_text("")
    return path


def test_an_environment_is_made_once_and_again_when_its_lock_changes(lock: Path, tmp_path: Path) -> None:
    made = LockedEnvironment("the tools", lock, tmp_path / "venv")
    said: list[str] = []
    assert not made.is_installed()
    made.install(said.append)
    assert made.is_installed()
    assert made.python.exists()
    assert made.version("pip")
    first = len(said)
    made.install(said.append)
    assert len(said) == first
    lock.write_text("# another\n")
    assert not made.is_installed()


def test_what_is_not_pinned_by_a_hash_is_not_installed(lock: Path, tmp_path: Path) -> None:
    lock.write_text(f"nothing @ file://{tmp_path}/nothing.tar.gz\n")
    made = LockedEnvironment("the tools", lock, tmp_path / "venv")
    with pytest.raises(TapewatchError, match="Installing the tools failed"):
        made.install(lambda _: None)
    assert not made.is_installed()


def test_its_python_does_not_see_the_packages_of_this_process(
    lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(sys.executable).parent))
    assert "PYTHONPATH" not in LockedEnvironment("the tools", lock, tmp_path).variables()
