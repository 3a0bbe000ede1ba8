"""Loads a detector's class from its entry in the registry."""

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from services.common.errors import TapewatchError
from services.contracts.detectors import DETECTORS, DetectorSpec
from services.detector.detectors.parameters import Parameters

if TYPE_CHECKING:
    from services.detector.detectors.base import Detector

_REGISTRY = "services/contracts/detectors.py"


def load_detector(name: str) -> "type[Detector]":
    """Return a registered detector's class.

    Raises
    ------
    TapewatchError
        If the entry and the class do not match; says which of them to change, and how.
    KeyError
        If no detector of that name is registered.
    """
    return _load(DETECTORS[name])


@cache
def _load(spec: DetectorSpec) -> "type[Detector]":
    from services.detector.detectors.base import Detector  # late: not needed to read the registry

    module_name, _, class_name = spec.code.partition(":")
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not module_name.startswith(error.name):
            raise TapewatchError(
                f"The detector {spec.name} needs the package {error.name}, which is not installed.",
                "Install that package.",
            ) from error
        raise TapewatchError(
            f"The code of the detector {spec.name} was not found: there is no module {error.name}.",
            f"Create the module, or correct `code` of the detector's entry in {_REGISTRY}.",
        ) from error
    kind = getattr(module, class_name, None)
    if kind is None:
        raise TapewatchError(
            f"The module {module_name} of the detector {spec.name} has no class "
            f"{class_name or '(its entry names none)'}.",
            f"Add the class, or correct `code` (module:class) of the detector's entry in {_REGISTRY}.",
        )
    if not (isinstance(kind, type) and issubclass(kind, Detector)):
        raise TapewatchError(
            f"{spec.code}, which is registered as {spec.name}, is not a detector.",
            "Derive the class from `services.detector.detectors.base.Detector`.",
        )
    if getattr(kind, "name", None) != spec.name:
        raise TapewatchError(
            f"{spec.code} is registered as {spec.name}, but its name is {getattr(kind, 'name', 'missing')}.",
            f"Set the class's `name` to the one in {_REGISTRY}.",
        )
    parameters = getattr(kind, "parameters", None)
    if not (isinstance(parameters, type) and issubclass(parameters, Parameters)):
        raise TapewatchError(
            f"The detector {spec.name} does not declare its parameters.",
            f"Set `parameters` of {spec.code} to a class derived from `Parameters`.",
        )
    return kind
