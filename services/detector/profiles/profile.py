"""Profiles: detectors and their parameters, for all symbols or for one, from YAML."""

import codecs
import hashlib
from collections.abc import Hashable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    RootModel,
    SerializeAsAny,
    ValidationError,
    create_model,
    model_serializer,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from services.common.errors import TapewatchError
from services.contracts.detectors import DETECTORS
from services.detector.detectors.loading import load_detector
from services.detector.detectors.parameters import Parameters

FOLDER = Path(__file__).parent
BUILT_IN = tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


_IN_EVERY_HASH = (
    "auction_cross",
    "off_market_price",
    "unusual_size",
    "burst",
    "isolation_forest",
    "high_volume",
    "rapid_price_change",
    "z_score",
    "price_history_forest",
)
"""Written as null where they are off, so that the hash of profiles without them does not change."""


class Detectors(RootModel[dict[str, SerializeAsAny[Parameters]]]):
    """The running detectors with their parameters, by name in the registry.

    A detector's code is loaded when a profile sets its parameters; null switches a detector off.
    """

    model_config = ConfigDict(frozen=True)
    root: dict[str, SerializeAsAny[Parameters]] = {}

    @property
    def running(self) -> Mapping[str, Parameters]:
        """The detectors that run, with their parameters, in the registry's order."""
        return self.root

    def get(self, name: str) -> Parameters | None:
        """Return a detector's parameters; None if it does not run."""
        return self.root.get(name)

    def replaced(self, **parameters: Parameters | None) -> "Detectors":
        """Return a copy with some parameters replaced; None switches a detector off."""
        return Detectors.model_validate({**self.root, **parameters})

    @model_validator(mode="before")
    @classmethod
    def _read(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        kinds: dict[str, Any] = {}
        for name, parameters in given.items():
            if name not in DETECTORS:
                raise ValidationError.from_exception_data("Detectors", [_unknown(str(name), parameters)])
            kinds[name] = (None if parameters is None else load_detector(name).parameters, ...)
        # A model created for the given names, so that errors name their location.
        read = create_model("Detectors", **kinds).model_validate(given)
        found = {name: getattr(read, name) for name in DETECTORS if name in given}
        return {name: parameters for name, parameters in found.items() if parameters is not None}

    @model_serializer
    def _with_those_off(self) -> dict[str, Any]:
        return {
            name: self.root.get(name) for name in DETECTORS if name in self.root or name in _IN_EVERY_HASH
        }


def _unknown(name: str, given: object) -> InitErrorDetails:
    near = get_close_matches(name, DETECTORS, 1)
    fix = f"did you mean {near[0]}?" if near else f"known detectors: {', '.join(DETECTORS)}"
    text = f"unknown detector; {fix} (services/contracts/detectors.py registers them)"
    return InitErrorDetails(type=PydanticCustomError("unknown_detector", text), loc=(name,), input=given)


class Profile(_Strict):
    """Everything that decides which trades are anomalies."""

    name: str = "default"
    exchange: str = "XNAS"
    """Market identifier code; its calendar gives the trading day and the auctions."""
    sessions: Literal["daily", "endless"] = "daily"
    """Whether a symbol starts a new session each trading day."""
    detectors: Detectors = Detectors()
    symbols: dict[str, dict[str, dict[str, Any] | None]] = {}
    """Parameters that differ for a symbol, by symbol, in the form of `detectors`."""

    def for_symbol(self, symbol: str) -> Detectors:
        """Return the detectors' parameters with the symbol's own in place."""
        own = self.symbols.get(symbol)
        return (
            self.detectors
            if own is None
            else Detectors.model_validate(_merged(self.detectors.model_dump(), own))
        )

    @property
    def hash(self) -> str:
        """A short hash that changes whenever the profile does."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]


def load_profile(source: str | Path | None = None) -> Profile:
    """Read a profile.

    Parameters
    ----------
    source
        The name of a built-in one, or a YAML file; None for `default`. A file is laid over the built-in
        profile that its `base` names (`default` unless told otherwise): what it does not mention stays.

    Raises
    ------
    TapewatchError
        The file cannot be read or is invalid; the message names the line.
    """
    name = str(source or "default")
    path = FOLDER / f"{name}.yaml" if name in BUILT_IN else Path(name)
    try:
        text = _text(path)
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError):
            reason, fix = error.strerror, "Give a file, or one of the built-in profiles"
        else:
            reason, fix = "not UTF-8", "Save it as UTF-8, or give one of the built-in profiles"
        raise TapewatchError(
            f"The profile {name} cannot be read: {reason}.", f"{fix}: {', '.join(BUILT_IN)}."
        ) from error
    try:
        given = _Loader(text).get_single_data() or {}
        node = yaml.compose(text)
    except yaml.YAMLError as error:
        raise TapewatchError(f"The profile {name} is not YAML: {error}.", "Fix the line it names.") from error
    if not isinstance(given, dict):
        raise TapewatchError(
            f"The profile {name} is not a mapping.", "Begin with lines such as `detectors:`."
        )
    base_name = given.pop("base", "default")
    if name not in BUILT_IN:
        if base_name not in BUILT_IN:
            raise TapewatchError(
                f"The profile {name} has the unknown base {base_name!r}.",
                f"Set `base` to one of {', '.join(BUILT_IN)}.",
            )
        base = load_profile(base_name).model_dump(exclude={"symbols"}, exclude_none=True)
        own = given.get("detectors") or {}
        if isinstance(own, dict):  # else the validation below names it
            own = _merged(base["detectors"], own)
        given = {**base, **given, "detectors": own}
    place = ""
    try:
        profile = Profile.model_validate(given)
        for symbol in profile.symbols:
            place = f"symbols.{symbol}."
            profile.for_symbol(symbol)
    except ValidationError as error:
        faults = "; ".join(_describe(fault, place, node) for fault in error.errors())
        raise TapewatchError(
            f"The profile {name} is invalid: {faults}.",
            "Compare it with docs/detection.md, which lists all parameters.",
        ) from error
    return profile


class _Loader(yaml.SafeLoader):
    """Takes every key as the text that stands there: `ON`, `NO`, `TRUE` and `0700` are tickers."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        self.flatten_mapping(node)
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                key.tag = yaml.resolver.BaseResolver.DEFAULT_SCALAR_TAG
        return super().construct_mapping(node, deep)


def _text(path: Path) -> str:
    """Read a file in UTF-8, or in UTF-16 with a byte order mark, as Windows writes it."""
    content = path.read_bytes()
    is_utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if is_utf16 else "utf-8-sig")


def _merged(general: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Put parameters over more general ones, detector by detector; null switches a detector off."""
    merged = dict(general)
    for name, parameters in own.items():
        before = merged.get(name)
        if isinstance(parameters, dict) and isinstance(before, dict):
            merged[name] = {**before, **parameters}
        else:
            merged[name] = parameters
    return merged


def _describe(fault: ErrorDetails, place: str, node: yaml.Node | None) -> str:
    """Describe an error, with the line of the closest key in the file."""
    keys = [*place.rstrip(".").split(".")] if place else []
    keys += [str(part) for part in fault["loc"]]
    line = 1
    while keys and isinstance(node, yaml.MappingNode):
        pairs = {key.value: (key, value) for key, value in node.value}
        if keys[0] not in pairs:
            break
        key, node = pairs[keys.pop(0)]
        line = key.start_mark.line + 1
    where = place + ".".join(str(part) for part in fault["loc"])
    return f"line {line}: {where}: {fault['msg']}"
