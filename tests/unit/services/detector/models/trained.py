"""A small model for tests, stored as training stores one."""

from pathlib import Path

import msgspec
import numpy as np
import xgboost

from services.detector.models.digest import content_digest
from services.detector.models.drift import measure_spread
from services.detector.models.folder import scores_digest
from services.detector.models.kinds import load_model
from services.detector.models.manifest import FORMAT, Alias, Manifest, Ordinary, Scaling
from services.detector.models.registry import ModelRegistry
from services.detector.models.sample import features_digest
from services.detector.offline.models.store import set_alias, store_model

FEATURES = ["return_1", "size_z_50", "gap_s"]
SCALING = Scaling([-2.0, 0.0, 2.0], [0.001, 0.01, 0.5], ordinary=Ordinary(-1.5, -0.5, 0.3))


def content(seed: int = 1) -> bytes:
    """Return the bytes of a model of three features."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(400, len(FEATURES))).astype(np.float32)
    label = (rows[:, 0] + rows[:, 1] > 1).astype(np.float32)
    table = xgboost.DMatrix(rows, label=label, feature_names=FEATURES)
    settings = {"objective": "binary:logistic", "max_depth": 3, "nthread": 1}
    return bytes(xgboost.train(settings, table, 5).save_raw("ubj"))


def manifest(model: bytes, name: str = "trades", **changed: object) -> Manifest:
    """Return a manifest that fits a model."""
    loaded = load_model("xgboost", model, len(FEATURES), SCALING)
    made = Manifest(
        format=FORMAT,
        name=name,
        kind="xgboost",
        digest=content_digest(model, FEATURES, SCALING),
        features=FEATURES,
        scaling=SCALING,
        features_digest=features_digest(FEATURES),
        scores_digest=scores_digest(loaded, FEATURES, SCALING),
        spread=measure_spread(np.ones((1, len(FEATURES))), np.ones(1)),
        data=[],
        days={"train": ["2024-12-02"]},
        labels=[],
        rows=400,
        seed=1,
        threads=1,
        settings={},
        rounds=5,
        true_rate=0.0001,
        profile="abc",
        lock="",
        versions={},
        metrics={},
        parent=None,
        trained_at="2024-12-03T00:00:00Z",
        command="tapewatch train",
    )
    return msgspec.structs.replace(made, **changed)


def stored(folder: Path, seed: int = 1, name: str = "trades") -> Path:
    """Store a model; returns its folder."""
    model = content(seed)
    path, _ = store_model(folder, manifest(model, name), model, "# card\n")
    return path


def promoted(folder: Path) -> Path:
    """Store two models, and let an alias stand for each; returns the folder."""
    for seed, alias in ((1, Alias.CHAMPION), (2, Alias.CHALLENGER)):
        set_alias(ModelRegistry(folder), "trades", alias, stored(folder, seed).name)
    return folder
