import os
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest

from services.common.errors import TapewatchError
from services.detector.models import folder as folders
from services.detector.models.base import probabilities
from services.detector.models.digest import content_digest
from services.detector.models.folder import MANIFEST, read_stored
from services.detector.models.manifest import Scaling, manifest_json, read_manifest
from services.detector.models.sample import features_digest, rows_of, sample_features
from tests.unit.services.detector.models.trained import FEATURES, content, manifest, stored


def refused(path: Path) -> str:
    with pytest.raises(TapewatchError) as caught:
        read_stored(path)
    assert caught.value.cause.startswith(f"The model trades@{path.name[:12]} is refused: ")
    return caught.value.cause.partition(" is refused: ")[2]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return stored(tmp_path)


def test_a_stored_model_judges_as_the_one_that_was_trained(model: Path) -> None:
    found = read_stored(model)
    rows = rows_of(sample_features(), FEATURES)
    assert found.model.raw(rows).shape == (len(rows),)
    one_by_one = [found.model.raw(rows[at : at + 1])[0] for at in range(40)]
    assert one_by_one == found.model.raw(rows)[:40].tolist()


def test_contributions_and_a_constant_add_up_to_the_raw_output(model: Path) -> None:
    found = read_stored(model).model
    rows = rows_of(sample_features(), FEATURES)[:50]
    constant = found.raw(rows) - found.contributions(rows).sum(axis=1)
    assert found.contributions(rows).shape == rows.shape
    np.testing.assert_allclose(constant, constant[0], atol=1e-5)


def test_no_rows_have_no_scores(model: Path) -> None:
    found = read_stored(model).model
    assert found.raw(np.zeros((0, 3))).shape == (0,)
    assert found.contributions(np.zeros((0, 3))).shape == (0, 3)


def test_a_changed_byte_of_the_model_is_refused(model: Path) -> None:
    file = model / "model.ubj"
    changed = bytearray(file.read_bytes())
    changed[-5] ^= 1
    file.write_bytes(changed)
    assert "its content has the digest" in refused(model)
    assert "and its manifest says" in refused(model)


def test_a_folder_under_another_digest_is_refused(model: Path) -> None:
    other = model.with_name("0" * 64)
    model.rename(other)
    assert "and its folder's name says 000000000000…" in refused(other)


def test_a_scaling_that_was_edited_is_refused(model: Path) -> None:
    text = (model / MANIFEST).read_text().replace("0.01,", "0.02,")
    (model / MANIFEST).write_text(text)
    assert "its content has the digest" in refused(model)


def test_a_model_for_other_features_is_refused(model: Path) -> None:
    made = read_manifest((model / MANIFEST).read_bytes())
    (model / MANIFEST).write_bytes(
        manifest_json(msgspec.structs.replace(made, features_digest=features_digest(FEATURES[:2])))
    )
    assert refused(model).startswith("it was made for other features")


def test_a_model_of_features_that_are_gone_is_refused(tmp_path: Path) -> None:
    names = ["return_1", "size_z_50", "no_more"]
    model = content()
    made = manifest(model, features=names)
    digest = content_digest(model, names, made.scaling)
    path = tmp_path / "trades" / digest
    path.mkdir(parents=True)
    (path / "model.ubj").write_bytes(model)
    (path / MANIFEST).write_bytes(manifest_json(msgspec.structs.replace(made, digest=digest)))
    assert refused(path) == "there is no feature 'no_more'."


def test_a_file_that_is_too_large_is_refused_unread(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "MOST_MODEL_BYTES", 10)
    assert "and at most 10 are allowed" in refused(model)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"{", "its manifest cannot be read"),
        (b"\xff", "its manifest cannot be read"),
        (b"{}", "its manifest cannot be read"),
    ],
)
def test_a_damaged_manifest_is_refused(model: Path, text: bytes, reason: str) -> None:
    (model / MANIFEST).write_bytes(text)
    assert refused(model).startswith(reason)


def test_a_manifest_of_another_format_or_kind_is_refused(model: Path) -> None:
    made = read_manifest((model / MANIFEST).read_bytes())
    (model / MANIFEST).write_bytes(manifest_json(msgspec.structs.replace(made, format=99)))
    assert refused(model) == "its manifest has format 99, and this version reads 2."
    (model / MANIFEST).write_bytes(manifest_json(msgspec.structs.replace(made, kind="pickle")))
    assert "it is of the kind 'pickle'" in refused(model)


def test_a_manifest_of_an_older_format_is_refused_and_says_to_train_again(model: Path) -> None:
    (model / MANIFEST).write_bytes(b'{"format": 1, "name": "trades"}')
    with pytest.raises(TapewatchError) as caught:
        read_stored(model)
    assert "its manifest has format 1, and this version reads 2" in caught.value.cause
    assert "train again" in caught.value.hint


def test_a_manifest_without_a_feature_s_spread_is_refused(model: Path) -> None:
    made = read_manifest((model / MANIFEST).read_bytes())
    (model / MANIFEST).write_bytes(manifest_json(msgspec.structs.replace(made, spread=made.spread[1:])))
    assert refused(model) == "its manifest has 3 features, and spreads of 2."


def test_missing_files_are_refused(model: Path) -> None:
    os.unlink(model / "model.ubj")  # noqa: PTH108
    assert refused(model) == "model.ubj cannot be read: No such file or directory."
    shutil.rmtree(model)
    assert refused(model) == "manifest.json cannot be read: No such file or directory."


def test_probabilities_follow_the_curve_and_are_flat_beyond_it() -> None:
    scaling = Scaling([-1.0, 1.0], [0.1, 0.3])
    assert probabilities(np.array([-9.0, 0.0, 9.0]), scaling).tolist() == pytest.approx([0.1, 0.2, 0.3])
    assert probabilities(np.array([-9.0]), Scaling()).tolist() == [-9.0]
