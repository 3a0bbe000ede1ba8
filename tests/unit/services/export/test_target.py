from pathlib import Path

import pytest

from services.common.errors import TapewatchError
from services.export.target import Target
from services.sources.exported.layout import UNFINISHED
from services.sources.files import expand_names


def test_a_folder_is_marked_until_every_export_begun_in_it_is_finished(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "er"
    with Target(folder, "--from 2026-03-02") as target:
        target.unfinished.write_text("killed here")
    (folder / "day=2026-03-02").mkdir()
    with pytest.raises(TapewatchError, match=r"is not finished. .*--parquet \S*/er --from 2026-03-02$"):
        expand_names([str(folder)])
    with Target(folder, "--symbols A") as target:
        target.finish()
    assert (folder / UNFINISHED).exists()
    with Target(folder, "--from 2026-03-02") as target:
        target.finish()
    assert not (folder / UNFINISHED).exists()
    assert expand_names([str(folder)]) == [folder / "day=2026-03-02"]


def test_two_exports_into_one_folder_are_an_error(tmp_path: Path) -> None:
    with (
        Target(tmp_path, ""),
        pytest.raises(TapewatchError, match="Another export is writing"),
        Target(tmp_path, ""),
    ):
        pass
    with Target(tmp_path, ""):
        pass


def test_a_folder_with_something_else_and_a_file_are_errors_and_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(TapewatchError, match=r"holds something else than exported trades: notes\.txt"):
        Target(tmp_path, "").__enter__()
    with pytest.raises(TapewatchError, match=r"notes\.txt is a file"):
        Target(tmp_path / "notes.txt", "").__enter__()
    with pytest.raises(TapewatchError, match="cannot be written"):
        Target(tmp_path / "notes.txt" / "below", "").__enter__()
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
