"""All kinds of trained models; a new one is a file and a line here, and its trainer in `offline/training`."""

from collections.abc import Mapping
from typing import NamedTuple

from services.common.extras import load_with_extra
from services.detector.models.base import TrainedModel
from services.detector.models.manifest import Scaling


class ModelKind(NamedTuple):
    """How a kind is stored and loaded."""

    file: str
    """Name of the model's file in its folder."""
    code: str
    """`module:name` of its `TrainedModel`."""
    extra: str


MODEL_KINDS: Mapping[str, ModelKind] = {
    "xgboost": ModelKind("model.ubj", "services.detector.models.boosted_trees:BoostedTrees", "train"),
    "autoencoder": ModelKind(
        "model.safetensors", "services.detector.models.lstm_autoencoder:LstmAutoencoder", "train"
    ),
}
"""By name."""


def load_model(kind: str, model: bytes, features: int, scaling: Scaling) -> TrainedModel:
    """Load a model.

    Raises
    ------
    TapewatchError
        A package of its extra is not installed.
    ValueError
        The bytes are not a model of this kind, or not for so many features.
    """
    spec = MODEL_KINDS[kind]
    loaded: TrainedModel = load_with_extra(spec.code, f"Models of the kind {kind} need", spec.extra)(
        model, features, scaling
    )
    return loaded
