"""The address of a model: the digest of what decides its scores."""

import hashlib
from collections.abc import Sequence

import msgspec
import orjson

from services.detector.models.manifest import Scaling


def content_digest(model: bytes, features: Sequence[str], scaling: Scaling) -> str:
    """Return the SHA-256 of a model's bytes, feature list and scaling, 64 hex digits."""
    parts = (
        model,
        orjson.dumps(list(features)),
        orjson.dumps(msgspec.to_builtins(scaling), option=orjson.OPT_SORT_KEYS),
    )
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))  # so that nothing can move from one part to the next
        digest.update(part)
    return digest.hexdigest()
