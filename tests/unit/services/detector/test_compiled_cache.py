import os
import subprocess
import sys
from pathlib import Path

import pytest

from services.detector import compiled_cache
from services.detector.compiled_cache import UNCOMPILED, use_own_folder

CALLER = """
from numba import njit
from inner import called
@njit(cache=True)
def f(): return called()
print(f())
"""
CALLED = "from numba import njit\n@njit(cache=True)\ndef called(): return {}\n"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    (tmp_path / "outer.py").write_text(CALLER)
    (tmp_path / "inner.py").write_text(CALLED.format(1))
    return tmp_path


def chosen(package: Path, patch: pytest.MonkeyPatch, given: str | None = None) -> Path:
    if given is None:
        patch.delenv("NUMBA_CACHE_DIR", raising=False)
    else:
        patch.setenv("NUMBA_CACHE_DIR", given)
    use_own_folder(package)
    return Path(os.environ["NUMBA_CACHE_DIR"])


def test_change_of_what_a_compiled_function_calls_takes_effect(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = []
    for number in (1, 2):
        (package / "inner.py").write_text(CALLED.format(number))
        chosen(package, monkeypatch)
        done = subprocess.run(
            [sys.executable, "outer.py"], cwd=package, capture_output=True, text=True, check=True
        )
        printed.append(done.stdout)
    assert printed == ["1\n", "2\n"]


def test_folder_follows_the_sources_and_older_ones_are_deleted(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = chosen(package, monkeypatch)
    assert first.parent == package / "__pycache__"
    first.mkdir(parents=True)
    assert chosen(package, monkeypatch) == first
    assert first.exists()
    (package / "inner.py").write_text(CALLED.format(2))
    assert chosen(package, monkeypatch) != first
    assert not first.exists()


def test_folder_stays_where_a_file_changes_that_nothing_compiled_calls(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = chosen(package, monkeypatch)
    (package / "live").mkdir()
    (package / "live" / "service.py").write_text("")
    assert chosen(package, monkeypatch) == first


def test_nothing_compiled_imports_what_is_compiled_in_those_folders() -> None:
    package = Path(compiled_cache.__file__).parent
    compiled = [path for path in package.rglob("*.py") if "import njit" in path.read_text()]
    assert len(compiled) > 20
    left_out = [path for path in compiled if path.relative_to(package).parts[0] in UNCOMPILED]
    modules = [".".join(path.relative_to(package.parents[1]).with_suffix("").parts) for path in left_out]
    assert "services.detector.offline.training.figures" in modules
    for path in compiled:
        names = UNCOMPILED if path not in left_out else ()
        for name in (*modules, *(f"services.detector.{name}" for name in names)):
            assert f"from {name}" not in path.read_text()


def test_folder_of_the_user_gets_one_for_the_sources(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = chosen(package, monkeypatch, str(package / "mine"))
    assert folder.parent == package / "mine"
    assert chosen(package, monkeypatch, str(folder)) == folder, "a child process has its parent's"
    (package / "inner.py").write_text(CALLED.format(2))
    assert chosen(package, monkeypatch, str(folder)).parent == package / "mine"
    assert chosen(package, monkeypatch, str(folder)) != folder, "a child of other sources has its own"


def test_detectors_are_compiled_into_that_folder() -> None:
    code = "import services.detector.detectors.core.walk, numba; print(numba.config.CACHE_DIR)"
    env = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert "compiled-" in done.stdout
