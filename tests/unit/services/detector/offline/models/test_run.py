from pathlib import Path

import orjson
import pytest

from services.common.errors import TapewatchError
from services.detector.models.folder import MANIFEST
from services.detector.models.manifest import Alias
from services.detector.models.registry import ModelRegistry
from services.detector.offline.models.run import run_list, run_promote, run_show, run_verify
from services.detector.offline.models.store import store_model
from tests.unit.services.detector.models.trained import content, manifest, stored


def test_models_are_listed_with_their_aliases(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = stored(tmp_path)
    assert run_promote(tmp_path, f"trades@{path.name[:8]}", Alias.CHAMPION) == 0
    (tmp_path / "trades" / ("0" * 64)).mkdir()
    (tmp_path / "trades" / ("0" * 64) / MANIFEST).write_text("{")
    capsys.readouterr()
    assert run_list(tmp_path) == 0
    listed = capsys.readouterr().out
    assert f"trades@{path.name[:12]}" in listed
    assert "champion" in listed
    assert "damaged" in listed


def test_an_empty_folder_says_how_to_train(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_list(tmp_path / "none") == 0
    assert "tapewatch train" in capsys.readouterr().out


def test_a_model_shows_its_card_or_its_manifest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = stored(tmp_path)
    assert run_show(tmp_path, f"trades@{path.name}", as_json=False) == 0
    assert capsys.readouterr().out == "# card\n"
    assert run_show(tmp_path, f"trades@{path.name}", as_json=True) == 0
    assert orjson.loads(capsys.readouterr().out)["digest"] == path.name


def test_a_damaged_model_fails_and_is_not_promoted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = stored(tmp_path), stored(tmp_path, seed=2)
    assert run_verify(tmp_path, None) == 0
    (bad / "model.ubj").write_bytes(b"{}")
    assert run_verify(tmp_path, None) == 1
    said = capsys.readouterr().out
    assert f"✓ trades@{good.name[:12]}" in said
    assert f"✗ The model trades@{bad.name[:12]} is refused" in said
    with pytest.raises(TapewatchError):
        run_promote(tmp_path, f"trades@{bad.name}", Alias.CHAMPION)
    assert ModelRegistry(tmp_path).aliases("trades") == {}


def test_other_scores_than_when_trained_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = content()
    store_model(tmp_path, manifest(model, scores_digest="0" * 64), model, "")
    assert run_verify(tmp_path, None) == 1
    assert "has other scores here" in capsys.readouterr().out


def test_the_same_model_is_stored_once(tmp_path: Path) -> None:
    model = content()
    first, is_new = store_model(tmp_path, manifest(model), model, "one")
    again, is_new_again = store_model(tmp_path, manifest(model), model, "two")
    assert (first, is_new, is_new_again) == (again, True, False)
    assert (first / "CARD.md").read_text() == "one"
    assert [path.name for path in first.parent.iterdir()] == [first.name]


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "trades").write_text("in the way")
    with pytest.raises(TapewatchError, match="cannot be written"):
        stored(tmp_path)
