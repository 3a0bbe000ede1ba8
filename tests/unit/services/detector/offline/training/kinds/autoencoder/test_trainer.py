import numpy as np
import pytest

from services.common.errors import TapewatchError
from services.detector.models.kinds import load_model
from services.detector.models.lstm_autoencoder import WEIGHTS
from services.detector.models.lstm_kernel import reconstructed
from services.detector.offline.training.kinds.autoencoder import trainer as trainers
from services.detector.offline.training.kinds.autoencoder.environment import JAX
from services.detector.offline.training.kinds.autoencoder.trainer import AutoencoderTrainer, scaling_of
from services.detector.offline.training.kinds.registry import TrainableKind, load_trainer
from services.detector.offline.training.rows import FEATURES, ORDINARY, Rows

with_jax = pytest.mark.skipif(not JAX.is_installed(), reason="JAX is not installed: make autoencoder")
COUNT = len(FEATURES)


@pytest.fixture
def trainer(monkeypatch: pytest.MonkeyPatch) -> AutoencoderTrainer:
    monkeypatch.setattr(trainers, "TRAIN_WINDOWS", 1_024)
    monkeypatch.setattr(trainers, "LATER_WINDOWS", 256)
    made = AutoencoderTrainer()
    made.settings["passes"] = 2
    return made


def rows(seed: int, count: int = 400) -> Rows:
    """Return windows whose features follow from a few numbers, and anomalies where they do not."""
    rng = np.random.default_rng(seed)
    window = AutoencoderTrainer.window
    mixing = np.random.default_rng(0).normal(size=(4, COUNT))
    values = (rng.normal(size=(count, window, 4)) @ mixing).astype(np.float32)
    label = (np.arange(count) % 20 == 0).astype(np.float32)
    values[label > 0, -1] = 5 * rng.normal(size=(int(label.sum()), COUNT))
    text = np.full(count, ORDINARY, "U20")
    return Rows(values.reshape(count, -1), label, np.ones(count), np.ones(count), text, text, text)


def test_training_without_its_environment_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(JAX), "is_installed", lambda _: False)
    with pytest.raises(TapewatchError) as caught:
        load_trainer(TrainableKind.AUTOENCODER)
    assert "make autoencoder" in caught.value.hint


@with_jax
@pytest.mark.slow
def test_the_forward_pass_gives_what_jax_gives(trainer: AutoencoderTrainer) -> None:
    windows = rows(1, 600).values.reshape(600, trainer.window, COUNT) / 3
    passes: list[int] = []
    found = trainer.fitted(windows[:400], windows[400:], 1, lambda done, _: passes.append(done))
    own = reconstructed(windows[400:], *(found[name] for name in WEIGHTS))
    np.testing.assert_allclose(own, found["last"], rtol=1e-4, atol=1e-5)
    assert passes == [1, 2]


@with_jax
@pytest.mark.slow
def test_the_same_rows_give_the_same_bytes_whatever_the_anomalies_are(trainer: AutoencoderTrainer) -> None:
    train, stop = rows(1), rows(2)
    one = trainer.fit(train, stop, 1, lambda *_: None)
    again = AutoencoderTrainer()
    again.settings["passes"] = 2
    ordinary = train[train.label == 0]
    assert again.fit(ordinary, stop, 1, lambda *_: None) == one
    raw = load_model("autoencoder", one.model, COUNT, one.scaling).raw(stop.values)
    assert raw[stop.label > 0].mean() > raw[stop.label == 0].mean()
    assert set(trainer.versions()) == {"python", "jax", "jaxlib", "optax", "numpy"}


@with_jax
@pytest.mark.slow
def test_what_jax_says_when_it_fails_is_told(trainer: AutoencoderTrainer) -> None:
    trainer.settings["hidden"] = -1
    nothing = np.zeros((256, trainer.window, COUNT), np.float32)
    with pytest.raises(TapewatchError, match="JAX could not train the autoencoder"):
        trainer.fitted(nothing, nothing, 1, lambda *_: None)


def test_features_are_scaled_by_their_middle_or_else_by_their_deviation() -> None:
    found = scaling_of(np.array([[1, 0, 7], [2, 0, 7], [3, 0, 7], [4, 0, 7], [5, 10, np.nan]], np.float32))
    assert found.center == [3.0, 0.0, 7.0]
    assert found.scale == pytest.approx([2 / 1.349, 4.0, 2.8])
