"""Profiles: detectors and their parameters, for all symbols or for one, from YAML."""

import hashlib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    RootModel,
    SerializeAsAny,
    SerializerFunctionWrapHandler,
    ValidationError,
    ValidationInfo,
    create_model,
    model_serializer,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from services.common.config.yaml_file import read_yaml_file
from services.common.errors import TapewatchError
from services.contracts.detectors import DETECTORS
from services.detector.detectors.loading import load_detector
from services.detector.detectors.parameters import PROFILE_FOLDER, Parameters
from services.detector.detectors.usual_day import UsualDay
from services.detector.profiles.calendar import CalendarEvent
from services.detector.profiles.suppress import Suppress

FOLDER = Path(__file__).parent
NEVER_CLOSES = "24/7"
"""The code of the calendar of markets that never close."""
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


ADJUSTMENTS = ("suppress", "calendar")
"""Fields of a profile that change what the detectors have found."""

USUAL_DAY = "usual_day"
"""Field of a profile, and of a symbol beside its detectors."""


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
    def _read(cls, given: object, info: ValidationInfo) -> object:
        if not isinstance(given, dict):
            return given
        kinds: dict[str, Any] = {}
        for name, parameters in given.items():
            if name not in DETECTORS:
                raise ValidationError.from_exception_data("Detectors", [_unknown(str(name), parameters)])
            kinds[name] = (None if parameters is None else load_detector(name).parameters, ...)
        # A model created for the given names, so that errors name their location.
        read = create_model("Detectors", **kinds).model_validate(given, context=info.context)
        found = {name: getattr(read, name) for name in DETECTORS if name in given}
        return {name: parameters for name, parameters in found.items() if parameters is not None}

    @model_serializer
    def _with_those_off(self) -> dict[str, Any]:
        return {
            name: self.root.get(name) for name in DETECTORS if name in self.root or name in _IN_EVERY_HASH
        }


def _unknown(name: str, given: object) -> InitErrorDetails:
    if name == USUAL_DAY:
        text = "not a detector: move it beside `detectors`, or into a symbol of `symbols`"
        return InitErrorDetails(type=PydanticCustomError("misplaced", text), loc=(name,), input=given)
    near = get_close_matches(name, [*DETECTORS, USUAL_DAY], 1)
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
    """Parameters that differ for a symbol, by symbol, in the form of `detectors`; and its `usual_day`."""
    suppress: tuple[Suppress, ...] = ()
    """What holds detections back."""
    calendar: tuple[CalendarEvent, ...] = ()
    """Moments at which anomalies mean something else."""
    usual_day: UsualDay | None = None
    """What a day of any symbol usually has, where the symbol's own does not say otherwise."""

    def for_symbol(self, symbol: str) -> Detectors:
        """Return the detectors' parameters with the symbol's own in place."""
        own = self.symbols.get(symbol)
        if own is None:
            return self.detectors
        detectors = {name: parameters for name, parameters in own.items() if name != USUAL_DAY}
        return Detectors.model_validate(_merged(self.detectors.model_dump(), detectors))

    def usual_day_of(self, symbol: str) -> UsualDay | None:
        """Return what a symbol's day usually has; None if nobody knows."""
        own = self.symbols.get(symbol, {})
        if USUAL_DAY not in own:
            return self.usual_day
        general = {} if self.usual_day is None else {USUAL_DAY: self.usual_day.model_dump(exclude_none=True)}
        merged = _merged(general, {USUAL_DAY: own[USUAL_DAY]})[USUAL_DAY]
        return None if merged is None else UsualDay.model_validate(merged)

    @model_serializer(mode="wrap")
    def _without_empty_lists(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # So that the hash of profiles without them does not change.
        optional = (*ADJUSTMENTS, USUAL_DAY)
        return {name: value for name, value in serialize(self).items() if value or name not in optional}

    @property
    def size_unit(self) -> str:
        """What a size counts, for sentences: shares, but coins in markets that never close."""
        return "coins" if self.exchange == NEVER_CLOSES else "shares"

    @property
    def hash(self) -> str:
        """A short hash that changes whenever the profile does."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]


def built_in_profile(hash_: str) -> "Profile | None":
    """Return the built-in profile that has a hash; None if none has."""
    return next((one for one in map(load_profile, BUILT_IN) if one.hash == hash_), None)


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
    file = read_yaml_file(
        path, f"The profile {name}", f"give one of the built-in profiles: {', '.join(BUILT_IN)}", "detectors:"
    )
    given = file.given
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
        profile = Profile.model_validate(given, context={PROFILE_FOLDER: path.parent})
        for symbol in profile.symbols:
            place = f"symbols.{symbol}."
            profile.for_symbol(symbol)
            place += f"{USUAL_DAY}."
            profile.usual_day_of(symbol)
    except ValidationError as error:
        faults = "; ".join(file.describe(fault, place) for fault in error.errors())
        raise TapewatchError(
            f"The profile {name} is invalid: {faults}.",
            "Compare it with docs/detection.md, which lists all parameters.",
        ) from error
    return profile


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
