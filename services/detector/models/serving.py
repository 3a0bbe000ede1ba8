"""Models that a profile names: found, verified and loaded once in a process."""

import re
from functools import lru_cache
from pathlib import Path

from services.detector.models.folder import StoredModel, read_stored
from services.detector.models.registry import NAME, ModelRegistry
from services.detector.models.settings import ModelSettings

_ADDRESS = re.compile(rf"{NAME.pattern}@[0-9a-f]{{64}}")


def verified_address(reference: str) -> str:
    """Return the address of a model that may judge trades, `NAME@DIGEST`, whatever alias it was named by.

    Parameters
    ----------
    reference
        See `ModelRegistry.find`; in the folder of the environment's settings.

    Raises
    ------
    TapewatchError
        There is no such model, or it is refused; the message says why.
    """
    models = ModelSettings().models
    name, _, version = reference.partition("@")
    # A profile that is read asks again for what it has, while it runs and whatever became of the folder.
    is_address = _ADDRESS.fullmatch(reference) is not None
    folder = models / name / version if is_address else ModelRegistry(models).find(reference)
    _read(folder.absolute())
    return f"{folder.parent.name}@{folder.name}"


def served_model(address: str) -> StoredModel:
    """Return the model of an address that `verified_address` returned."""
    name, _, digest = address.partition("@")
    return _read((ModelSettings().models / name / digest).absolute())


@lru_cache(maxsize=16)
def _read(folder: Path) -> StoredModel:
    return read_stored(folder)  # a folder never changes: its name is the digest of its content
