"""Writes models and their aliases; a model's folder never changes once it is there."""

import os
import shutil
from pathlib import Path

import orjson

from services.common.errors import TapewatchError
from services.common.process.atomic_file import replaced_when_done
from services.detector.models.folder import CARD, MANIFEST, read_stored
from services.detector.models.kinds import MODEL_KINDS
from services.detector.models.manifest import Alias, Manifest, manifest_json
from services.detector.models.registry import ALIASES, ModelRegistry


def store_model(folder: Path, manifest: Manifest, model: bytes, card: str) -> tuple[Path, bool]:
    """Write a model into its folder, and read it back.

    Parameters
    ----------
    folder
        That of all models; made if it is missing.
    manifest
        Its digest names the folder.
    model
        The bytes of the model.
    card
        What people read about it.

    Returns
    -------
    tuple
        The model's folder, and whether it was new: the same model is not written again.

    Raises
    ------
    TapewatchError
        The folder cannot be written, or what is there is refused.
    """
    target = folder / manifest.name / manifest.digest
    if target.exists():
        read_stored(target)
        return target, False
    unfinished = target.with_name(f".{manifest.digest[:12]}.{os.getpid()}")
    try:
        unfinished.mkdir(parents=True)
        (unfinished / MODEL_KINDS[manifest.kind].file).write_bytes(model)
        (unfinished / MANIFEST).write_bytes(manifest_json(manifest))
        (unfinished / CARD).write_text(card, encoding="utf-8")
        unfinished.rename(target)
    except OSError as error:
        raise TapewatchError(
            f"The model cannot be written to {target}: {error.strerror or error}.",
            "Check the folder's permissions and the disk's space, or name another one with --models.",
        ) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    read_stored(target)
    return target, True


def set_alias(registry: ModelRegistry, name: str, alias: Alias, digest: str) -> str | None:
    """Let an alias stand for a model; returns the digest that it stood for."""
    aliases = registry.aliases(name)
    before = aliases.get(alias)
    with replaced_when_done(registry.folder / name / ALIASES) as unfinished:
        unfinished.write_bytes(orjson.dumps(aliases | {str(alias): digest}, option=orjson.OPT_SORT_KEYS))
    return before
