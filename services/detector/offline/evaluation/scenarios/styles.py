"""The styles of injected events: from which ranges each kind's parameters are drawn.

All styles are in one file, `styles.yaml`. A detector that was fitted with some of them can be measured with
the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from math import exp, log
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from services.common.errors import TapewatchError

FILE = Path(__file__).with_name("styles.yaml")


class Draw:
    """Draws a kind's parameters from their ranges.

    Parameters
    ----------
    rng
        Random generator.
    ranges
        Each parameter's range by name: a number or a text stands for itself, `[low, high]` is uniform
        between the two, `{log: [low, high]}` is uniform in the logarithm, and `{one_of: [...]}` is one of
        them with equal chances.
    """

    def __init__(self, rng: np.random.Generator, ranges: Mapping[str, Any]) -> None:
        self._rng = rng
        self._ranges = ranges

    def number(self, name: str) -> float:
        """Draw a number."""
        return float(self._draw(name))

    def whole(self, name: str) -> int:
        """Draw a whole number; both ends of a range are included."""
        return round(float(self._draw(name)))

    def ns(self, name: str) -> int:
        """Draw a time span that the file gives in seconds; return it in ns."""
        return round(1e9 * float(self._draw(name)))

    def text(self, name: str) -> str:
        """Draw a text."""
        return str(self._draw(name))

    def chance(self, name: str) -> bool:
        """Draw yes or no; the parameter is the probability of yes."""
        return bool(self._rng.random() < float(self._draw(name)))

    def _draw(self, name: str) -> str | float:
        value = self._ranges[name]
        if isinstance(value, list):
            low, high = value
            return float(self._rng.uniform(low, high))
        if isinstance(value, dict) and "log" in value:
            low, high = value["log"]
            return exp(self._rng.uniform(log(low), log(high)))
        if isinstance(value, dict):
            value = value["one_of"][int(self._rng.integers(len(value["one_of"])))]
        drawn: str | float = value
        return drawn


@dataclass(frozen=True)
class Style:
    """One style.

    Parameters
    ----------
    name
        Its name in the file.
    price_dollars
        Range of the price level that the day is moved to; None if it stays where it is.
    kinds
        The ranges of each kind, by its name.
    """

    name: str
    price_dollars: Any
    kinds: Mapping[str, Mapping[str, Any]]

    def draw(self, rng: np.random.Generator, kind: str) -> Draw:
        """Return what draws a kind's parameters."""
        return Draw(rng, self.kinds[kind])

    def draw_price_dollars(self, rng: np.random.Generator) -> float | None:
        """Draw the price level; None if the day stays where it is."""
        if self.price_dollars is None:
            return None
        return Draw(rng, {"price": self.price_dollars}).number("price")


@cache
def read_styles() -> dict[str, Style]:
    """Read all styles, by name, in the order of the file."""
    file = yaml.safe_load(FILE.read_text())
    styles = {}
    for name, own in file["styles"].items():
        kinds = own.get("kinds", {})
        styles[name] = Style(
            name,
            own.get("price_dollars"),
            {kind: {**ranges, **kinds.get(kind, {})} for kind, ranges in file["common"].items()},
        )
    return styles


def style_named(name: str) -> Style:
    """Return a style.

    Raises
    ------
    TapewatchError
        No style has this name.
    """
    styles = read_styles()
    if name not in styles:
        raise TapewatchError(f"There is no style {name!r}.", f"Give one of {', '.join(styles)}.")
    return styles[name]
