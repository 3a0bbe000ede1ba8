"""Which kinds an evaluation injects."""

from dataclasses import dataclass

from services.common.errors import TapewatchError
from services.detector.offline.evaluation.scenarios.base import Scenario
from services.detector.offline.evaluation.scenarios.registry import SCENARIOS

CLASSIC, ALL = "classic", "all"


@dataclass(frozen=True)
class Selection:
    """The kinds of one evaluation.

    Parameters
    ----------
    ranked
        Which injector puts the six kinds of the ranking in: `classic`, or `mixed` (with bursts of many
        styles); None if there is no ranking.
    scenarios
        The kinds of the second injector.
    """

    ranked: str | None
    scenarios: tuple[Scenario, ...] = ()


def select(kinds: str) -> Selection:
    """Read the flag `--kinds`: `classic`, `all`, or names of the second injector's kinds with commas.

    Raises
    ------
    TapewatchError
        A name is unknown.
    """
    if kinds == CLASSIC:
        return Selection("classic")
    if kinds == ALL:
        return Selection("mixed", tuple(SCENARIOS.values()))
    names = kinds.split(",")
    if unknown := [name for name in names if name not in SCENARIOS]:
        raise TapewatchError(
            f"There is no kind {unknown[0]!r} to inject.",
            f"Give {CLASSIC}, {ALL}, or some of these with commas: {', '.join(SCENARIOS)}.",
        )
    return Selection(None, tuple(SCENARIOS[name] for name in names))
