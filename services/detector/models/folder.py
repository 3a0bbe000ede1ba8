"""Reads a model from its folder, and refuses what must not judge trades."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from services.common.errors import TapewatchError
from services.detector.models.base import TrainedModel, probabilities
from services.detector.models.digest import content_digest
from services.detector.models.kinds import MODEL_KINDS, load_model
from services.detector.models.manifest import Manifest, Scaling, read_manifest
from services.detector.models.sample import features_digest, sample_windows

MANIFEST, CARD = "manifest.json", "CARD.md"
MOST_MODEL_BYTES = 32 * 1024 * 1024
MOST_MANIFEST_BYTES = 4 * 1024 * 1024


class StoredModel(NamedTuple):
    """A model that may judge trades."""

    manifest: Manifest
    model: TrainedModel


def read_stored(folder: Path) -> StoredModel:
    """Read and check a model.

    Raises
    ------
    TapewatchError
        It is missing, damaged, too large, not what its digest says, made for other features, or a package is
        missing; the message says which.
    """
    try:
        manifest = manifest_in(folder)
        kind = MODEL_KINDS.get(manifest.kind)
        if kind is None:
            raise ValueError(f"it is of the kind {manifest.kind!r}, and known are {', '.join(MODEL_KINDS)}")
        content = _read(folder / kind.file, MOST_MODEL_BYTES)
        found = content_digest(content, manifest.features, manifest.scaling)
        for said, where in ((manifest.digest, "its manifest"), (folder.name, "its folder's name")):
            if said != found:
                raise ValueError(f"its content has the digest {found[:12]}…, and {where} says {said[:12]}…")
        if features_digest(manifest.features) != manifest.features_digest:
            raise ValueError("it was made for other features: this version computes other values of the same")
        model = load_model(manifest.kind, content, len(manifest.features), manifest.scaling)
    except ValueError as error:
        raise TapewatchError(
            f"The model {folder.parent.name}@{folder.name[:12]} is refused: {error}.",
            "Fetch it again, or train again with this version: tapewatch train.",
        ) from error
    return StoredModel(manifest, model)


def manifest_in(folder: Path) -> Manifest:
    """Read a model's manifest alone.

    Raises
    ------
    ValueError
        It is missing, too large, damaged, or of another format; the message says which.
    """
    return read_manifest(_read(folder / MANIFEST, MOST_MANIFEST_BYTES))


def scores_digest(model: TrainedModel, features: list[str], scaling: Scaling) -> str:
    """Return the SHA-256 of a model's probabilities of the fixed sample."""
    scores = probabilities(model.raw(sample_windows(features, model.window)), scaling)
    return hashlib.sha256(np.ascontiguousarray(scores, np.float64).tobytes()).hexdigest()


def _read(path: Path, most_bytes: int) -> bytes:
    """Read a file; raises ValueError if it is missing or larger."""
    try:
        size = path.stat().st_size
        if size > most_bytes:
            raise ValueError(f"{path.name} has {size:,} bytes, and at most {most_bytes:,} are allowed")
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path.name} cannot be read: {error.strerror}") from error
