"""All kinds that can be trained; a new one is a file and a line here."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

from services.common.extras import load_with_extra
from services.detector.models.kinds import MODEL_KINDS

if TYPE_CHECKING:  # the command line needs the names alone, at each start of any command
    from services.detector.offline.training.kinds.base import Trainer


class TrainableKind(StrEnum):
    """A key of `MODEL_KINDS`."""

    XGBOOST = "xgboost"
    AUTOENCODER = "autoencoder"


_TRAINERS: Mapping[TrainableKind, str] = {
    TrainableKind.XGBOOST: "services.detector.offline.training.kinds.xgboost:XGBoostTrainer",
    TrainableKind.AUTOENCODER: (
        "services.detector.offline.training.kinds.autoencoder.trainer:AutoencoderTrainer"
    ),
}


def load_trainer(kind: TrainableKind) -> "Trainer":
    """Return what trains models of a kind.

    Raises
    ------
    TapewatchError
        A package of its extra is not installed, or an environment that it needs.
    """
    who = f"Training a model of the kind {kind} needs"
    trainer: Trainer = load_with_extra(_TRAINERS[kind], who, MODEL_KINDS[kind].extra)()
    return trainer
