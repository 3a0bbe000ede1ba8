"""What counts as unusual: detectors and their parameters, for every symbol or for one, from YAML."""

import hashlib
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.common.errors import TapewatchError


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HighVolumeParameters(_Strict):
    """Of `HighVolume`."""

    threshold_shares: Annotated[int, Field(ge=0)] = 20_000


class RapidPriceChangeParameters(_Strict):
    """Of `RapidPriceChange`."""

    threshold_ratio: Annotated[float, Field(gt=0)] = 0.05


class IsolationForestParameters(_Strict):
    """Of `IsolationForest`."""

    contamination: Annotated[float, Field(gt=0, le=0.5)] = 0.01
    refit_trades: Annotated[int, Field(ge=2)] = 1_000
    window_trades: Annotated[int, Field(ge=2)] = 5_000
    trees: Annotated[int, Field(ge=1)] = 100
    subsample_trades: Annotated[int, Field(ge=2)] = 256


class Detectors(_Strict):
    """The detectors that run; one set to null does not."""

    high_volume: HighVolumeParameters | None = HighVolumeParameters()
    rapid_price_change: RapidPriceChangeParameters | None = RapidPriceChangeParameters()
    isolation_forest: IsolationForestParameters | None = IsolationForestParameters()


class Profile(_Strict):
    """All that decides which trades are anomalies."""

    name: str = "default"
    exchange_time_zone: str = "America/New_York"
    detectors: Detectors = Detectors()
    symbols: dict[str, dict[str, Any]] = {}
    """Symbol to the parameters that differ for it, in the form of `detectors`."""

    def for_symbol(self, symbol: str) -> Detectors:
        """Return the detectors' parameters with the symbol's own in place."""
        own = self.symbols.get(symbol)
        return self.detectors if own is None else _merged(self.detectors, own)

    @property
    def hash(self) -> str:
        """A short text that differs whenever the profile does."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]


def load_profile(path: Path | None) -> Profile:
    """Read a profile; None gives the default one.

    Raises
    ------
    TapewatchError
        The file cannot be read, or something in it is not a profile's.
    """
    if path is None:
        return Profile()
    try:
        content = yaml.safe_load(path.read_text())
        profile = Profile.model_validate(content or {})
        for symbol in profile.symbols:
            profile.for_symbol(symbol)
    except OSError as error:
        raise TapewatchError(
            f"The profile {path} cannot be read: {error.strerror}.", "Check the path."
        ) from error
    except yaml.YAMLError as error:
        raise TapewatchError(
            f"The profile {path} is not YAML: {error}.", "Mend the line it names."
        ) from error
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in error.errors()
        )
        raise TapewatchError(
            f"The profile {path} is wrong: {faults}.", "Compare it with docs/detection.md."
        ) from error
    return profile


def _merged(detectors: Detectors, own: dict[str, Any]) -> Detectors:
    """Put a symbol's own parameters over the general ones."""
    merged = detectors.model_dump()
    for name, parameters in own.items():
        both_are_given = isinstance(parameters, dict) and merged.get(name) is not None
        merged[name] = merged[name] | parameters if both_are_given else parameters
    return Detectors.model_validate(merged)
