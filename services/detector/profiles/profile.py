"""What counts as unusual: detectors and their parameters, for every symbol or for one, from YAML."""

import hashlib
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from services.common.errors import TapewatchError
from services.detector.detectors.core.burst_measure import BurstParameters
from services.detector.detectors.core.forest_measure import IsolationForestParameters
from services.detector.detectors.core.price_measure import OffMarketPriceParameters
from services.detector.detectors.core.size_measure import AuctionCrossParameters, UnusualSizeParameters
from services.detector.detectors.price.price_history_forest import PriceHistoryForestParameters
from services.detector.detectors.price.rapid_price_change import RapidPriceChangeParameters
from services.detector.detectors.price.z_score import ZScoreParameters
from services.detector.detectors.size.high_volume import HighVolumeParameters

FOLDER = Path(__file__).parent
BUILT_IN = tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Detectors(_Strict):
    """The detectors that run, with their parameters; one that is null does not."""

    auction_cross: AuctionCrossParameters | None = None
    off_market_price: OffMarketPriceParameters | None = None
    unusual_size: UnusualSizeParameters | None = None
    burst: BurstParameters | None = None
    isolation_forest: IsolationForestParameters | None = None
    high_volume: HighVolumeParameters | None = None
    rapid_price_change: RapidPriceChangeParameters | None = None
    z_score: ZScoreParameters | None = None
    price_history_forest: PriceHistoryForestParameters | None = None


class Profile(_Strict):
    """All that decides which trades are anomalies."""

    name: str = "default"
    exchange: str = "XNAS"
    """Market identifier code; its calendar gives the trading day and the auctions."""
    sessions: Literal["daily", "endless"] = "daily"
    """Whether a symbol starts afresh each trading day."""
    detectors: Detectors = Detectors()
    symbols: dict[str, dict[str, dict[str, Any] | None]] = {}
    """Symbol to the parameters that differ for it, in the form of `detectors`."""

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
        """A short text that differs whenever the profile does."""
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
        The file cannot be read, or something in it is not a profile's; names the line.
    """
    name = str(source or "default")
    path = FOLDER / f"{name}.yaml" if name in BUILT_IN else Path(name)
    try:
        text = path.read_text()
    except OSError as error:
        raise TapewatchError(
            f"The profile {name} cannot be read: {error.strerror}.",
            f"Give a file, or one of the built-in profiles: {', '.join(BUILT_IN)}.",
        ) from error
    try:
        given = yaml.safe_load(text) or {}
        node = yaml.compose(text)
    except yaml.YAMLError as error:
        raise TapewatchError(
            f"The profile {name} is not YAML: {error}.", "Mend the line it names."
        ) from error
    if not isinstance(given, dict):
        raise TapewatchError(
            f"The profile {name} is not a mapping.", "Begin with lines such as `detectors:`."
        )
    base_name = given.pop("base", "default")
    if name not in BUILT_IN:
        if base_name not in BUILT_IN:
            raise TapewatchError(
                f"The profile {name} is based on {base_name!r}, which there is not.",
                f"Set `base` to one of {', '.join(BUILT_IN)}.",
            )
        base = load_profile(base_name).model_dump(exclude={"symbols"}, exclude_none=True)
        given = {**base, **given, "detectors": _merged(base["detectors"], given.get("detectors") or {})}
    place = ""
    try:
        profile = Profile.model_validate(given)
        for symbol in profile.symbols:
            place = f"symbols.{symbol}."
            profile.for_symbol(symbol)
    except ValidationError as error:
        faults = "; ".join(_describe(fault, place, node) for fault in error.errors())
        raise TapewatchError(
            f"The profile {name} is wrong: {faults}.",
            "Compare it with docs/detection.md, which lists all parameters.",
        ) from error
    return profile


def _merged(general: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Put parameters over more general ones, detector by detector; null switches a detector off."""
    merged = dict(general)
    for name, parameters in own.items():
        before = merged.get(name)
        both_are_given = isinstance(parameters, dict) and isinstance(before, dict)
        merged[name] = {**before, **parameters} if both_are_given else parameters
    return merged


def _describe(fault: dict[str, Any], place: str, node: yaml.Node | None) -> str:
    """Write one fault with the line of the closest key that the file has."""
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
