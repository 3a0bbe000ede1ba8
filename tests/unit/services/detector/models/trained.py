"""Small models for tests, stored as training stores them."""

from pathlib import Path

import msgspec
import numpy as np
import xgboost
from safetensors.numpy import save

from services.detector.models.digest import content_digest
from services.detector.models.drift import measure_spread
from services.detector.models.folder import scores_digest
from services.detector.models.kinds import load_model
from services.detector.models.lstm_autoencoder import PRINTS, USUAL
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


WINDOW, HIDDEN = 4, 3
WINDOW_SCALING = Scaling(
    [-2.0, 0.0, 2.0],
    [0.001, 0.01, 0.5],
    center=[0.0, 0.0, 0.5],
    scale=[0.001, 1.0, 0.5],
    ordinary=Ordinary(-1.0, 0.2, 0.3),
)


def window_content(seed: int = 1) -> bytes:
    """Return the bytes of an autoencoder of windows of three features; it has learnt nothing."""
    rng = np.random.default_rng(seed)
    shapes = {
        "encoder.input": (len(FEATURES), 4 * HIDDEN),
        "encoder.recurrent": (HIDDEN, 4 * HIDDEN),
        "encoder.bias": (4 * HIDDEN,),
        "decoder.recurrent": (HIDDEN, 4 * HIDDEN),
        "decoder.bias": (4 * HIDDEN,),
        "output.weight": (HIDDEN, len(FEATURES)),
        "output.bias": (len(FEATURES),),
    }
    weights = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    usual, prints = np.ones(len(FEATURES), np.float32), np.array([WINDOW], np.int32)
    return save({**weights, USUAL: usual, PRINTS: prints})


def manifest(
    model: bytes, name: str = "trades", kind: str = "xgboost", scaling: Scaling = SCALING, **changed: object
) -> Manifest:
    """Return a manifest that fits a model."""
    loaded = load_model(kind, model, len(FEATURES), scaling)
    made = Manifest(
        format=FORMAT,
        name=name,
        kind=kind,
        digest=content_digest(model, FEATURES, scaling),
        features=FEATURES,
        scaling=scaling,
        features_digest=features_digest(FEATURES),
        scores_digest=scores_digest(loaded, FEATURES, scaling),
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
    """Store two models of trades and one of windows, and let an alias stand for each; returns the folder."""
    registry = ModelRegistry(folder)
    for seed, alias in ((1, Alias.CHAMPION), (2, Alias.CHALLENGER)):
        set_alias(registry, "trades", alias, stored(folder, seed).name)
    windows = window_content()
    path, _ = store_model(
        folder, manifest(windows, "windows", "autoencoder", WINDOW_SCALING), windows, "# card\n"
    )
    set_alias(registry, "windows", Alias.CHAMPION, path.name)
    return folder
