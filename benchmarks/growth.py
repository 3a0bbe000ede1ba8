"""Tells whether a figure that was taken again and again has grown while it should have stayed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Points = Sequence[tuple[float, float]]
"""Seconds since the beginning and the figure, in order of time."""


@dataclass(frozen=True)
class Limit:
    """How much more the end may have than the middle: the larger of both allowances.

    Parameters
    ----------
    unit
        Of the figure.
    share
        Of the figure in the middle.
    amount
        In the figure's unit.
    below
        The share of the time in which the figure is lower than what is compared: 1 compares its greatest
        values, less leaves out peaks that are shorter than the rest.
    """

    unit: str
    share: float
    amount: float
    below: float = 1.0


@dataclass(frozen=True)
class Growth:
    """A figure in the middle and at the end of a run.

    Parameters
    ----------
    before, after
        Its high value, as the limit has it, in the second and third fifth of the time, and in the last two.
    limit
        What is allowed.
    """

    before: float
    after: float
    limit: Limit

    @property
    def allowed(self) -> float:
        """The most that the end may have."""
        return self.before + max(self.limit.share * self.before, self.limit.amount)

    @property
    def is_growing(self) -> bool:
        """Whether the end has more than is allowed."""
        return self.after > self.allowed


def growth_of(points: Points, whole_s: float, limit: Limit) -> Growth | None:
    """Compare the last two fifths of the time with the two before.

    The first fifth is not looked at: caches fill then. In twenty minutes with one of eight faults a minute,
    both parts have each fault once: what a fault alone brings is not taken for growth. High values are
    compared, since what is killed starts again from little.

    Parameters
    ----------
    points
        The figure.
    whole_s
        Length of the run.
    limit
        What is allowed.

    Returns
    -------
    Growth or None
        None if one of the parts has no figure.
    """
    before = [value for at_s, value in points if whole_s / 5 <= at_s < 3 * whole_s / 5]
    after = [value for at_s, value in points if at_s >= 3 * whole_s / 5]
    return Growth(_high(before, limit), _high(after, limit), limit) if before and after else None


def _high(values: list[float], limit: Limit) -> float:
    return sorted(values)[min(int(limit.below * len(values)), len(values) - 1)]


def growing(figures: Mapping[str, Growth]) -> list[str]:
    """Return a sentence for each figure that has grown."""
    return [
        f"{name} grew from {one.before:,.0f} to {one.after:,.0f} {one.limit.unit}"
        for name, one in figures.items()
        if one.is_growing
    ]
