"""The folder of all models: `<name>/<digest>/`, and the aliases of each name."""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from services.common.errors import TapewatchError
from services.detector.models.folder import MANIFEST
from services.detector.models.manifest import Alias

ALIASES = "aliases.json"
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_LEAST_DIGITS = 8
_MOST_BYTES = 64 * 1024


class ModelRegistry:
    """Finds models by alias or digest; it writes nothing.

    Parameters
    ----------
    folder
        Where the models are; it need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> list[str]:
        """Return the names that have a model, sorted."""
        return sorted({path.parent.name for path in self._folders("*")})

    def digests(self, name: str) -> list[str]:
        """Return the digests of a name's models, sorted."""
        return sorted(path.name for path in self._folders(name))

    def aliases(self, name: str) -> dict[str, str]:
        """Return the digest of each alias that is set.

        Raises
        ------
        TapewatchError
            The file of aliases is damaged.
        """
        path = self.folder / name / ALIASES
        if not path.is_file():
            return {}
        try:
            if path.stat().st_size > _MOST_BYTES:
                raise ValueError("it is too large")
            aliases: dict[str, str] = msgspec.json.decode(path.read_bytes(), type=dict[Alias, str])
            if wrong := [digest for digest in aliases.values() if not _DIGEST.fullmatch(digest)]:
                raise ValueError(f"{wrong[0]!r} is no digest")
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError, OSError) as error:
            raise TapewatchError(
                f"{path} cannot be read: {error}.",
                f"Delete it, and set the alias again: tapewatch models promote {name}@DIGEST.",
            ) from error
        return {str(alias): digest for alias, digest in aliases.items()}

    def find(self, reference: str) -> Path:
        """Return the folder of a model.

        Parameters
        ----------
        reference
            `NAME@ALIAS`, or `NAME@DIGEST` of which the first 8 digits suffice; `NAME` is the champion.

        Raises
        ------
        TapewatchError
            There is no such model, or the beginning of a digest fits several.
        """
        name, _, version = reference.partition("@")
        version = version or Alias.CHAMPION
        if not NAME.fullmatch(name) or name not in self.names():
            known = ", ".join(self.names())
            raise TapewatchError(
                f"There is no model {name!r} in {self.folder}.",
                f"Give one of {known}." if known else "Train one: tapewatch train.",
            )
        if version in list(Alias):
            digest = self.aliases(name).get(version)
            if digest is None:
                raise TapewatchError(
                    f"No model {name} is the {version}.",
                    f"Set it: tapewatch models promote {name}@DIGEST --as {version}.",
                )
            fitting = [one for one in self.digests(name) if one == digest]
        else:
            is_digest = len(version) >= _LEAST_DIGITS and set(version) <= set("0123456789abcdef")
            fitting = [one for one in self.digests(name) if is_digest and one.startswith(version)]
        if len(fitting) != 1:
            raise TapewatchError(
                f"{len(fitting) or 'No'} models fit {reference!r}.",
                f"Give an alias, or {_LEAST_DIGITS} to 64 digits of a digest: tapewatch models list.",
            )
        return self.folder / name / fitting[0]

    def _folders(self, name: str) -> Iterator[Path]:
        for path in self.folder.glob(f"{name}/*/{MANIFEST}"):
            if _DIGEST.fullmatch(path.parent.name) and NAME.fullmatch(path.parent.parent.name):
                yield path.parent
