from pathlib import Path

import pytest

from infra.embedded.disk import check_free_space
from services.common.errors import TapewatchError


def test_enough_space_is_fine_even_for_a_folder_that_does_not_exist_yet(tmp_path: Path) -> None:
    check_free_space({tmp_path / "a" / "b": 1})


def test_too_little_space_names_the_folder_and_the_sizes(tmp_path: Path) -> None:
    with pytest.raises(TapewatchError, match=r"GB free, and 1000000000\.0 GB are needed") as caught:
        check_free_space({tmp_path / "data": 10**18})
    assert str(tmp_path / "data") in caught.value.cause
    assert "--data-dir" in caught.value.hint


def test_folders_on_one_disk_are_added_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.embedded.disk.shutil.disk_usage", lambda _: type("Usage", (), {"free": 150}))
    check_free_space({tmp_path / "a": 100})
    with pytest.raises(TapewatchError, match=r"a and .*b"):
        check_free_space({tmp_path / "a": 100, tmp_path / "b": 100})
