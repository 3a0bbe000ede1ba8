"""Code that needs a package of an extra, imported when it is asked for."""

from importlib import import_module
from typing import Any

from services.common.errors import TapewatchError

_OURS = ("services", "infra")


def load_with_extra(code: str, who_needs: str, extra: str | None) -> Any:  # noqa: ANN401 - whatever stands there
    """Import `module:name`.

    Parameters
    ----------
    code
        What to import.
    who_needs
        Begins the sentence about a package that is missing, such as `This sink needs`.
    extra
        The extra of Tapewatch that has its packages; None if it needs none.

    Raises
    ------
    TapewatchError
        A package of the extra is not installed.
    """
    module, _, name = code.partition(":")
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        if not extra or (error.name or "").startswith(_OURS):
            raise
        raise TapewatchError(
            f"{who_needs} the package {error.name}, which is not installed.",
            f"Install it: pip install 'tapewatch[{extra}]'.",
        ) from error
