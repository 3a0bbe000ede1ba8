"""What a sample says of all that it was drawn from, exactly and without a model.

A sample without replacement from a finite number has a hypergeometric distribution; its tails are inverted as
Clopper and Pearson (1934) invert the binomial's. Where everything was drawn, the answer is the count itself.
"""

from fractions import Fraction
from math import comb

CONFIDENCE = Fraction(95, 100)


def most(population: int, sample: int, found: int, doubt: Fraction) -> int:
    """Return the greatest number among all with which so few would be found with at least this probability.

    Parameters
    ----------
    population
        How many there are in all.
    sample
        How many were drawn.
    found
        How many of those drawn have what is looked for.
    doubt
        How probable it may be that the true number is greater, above 0.

    Raises
    ------
    ValueError
        More were drawn than there are, or more found than drawn.
    """
    _check(population, sample, found)
    low, high = found, population - (sample - found)
    while low < high:
        middle = (low + high + 1) // 2
        if _at_most(population, middle, sample, found) > doubt:
            low = middle
        else:
            high = middle - 1
    return low


def least(population: int, sample: int, found: int, doubt: Fraction) -> int:
    """Return the least number among all with which so many would be found; see `most`."""
    return population - most(population, sample, sample - found, doubt)


def interval(population: int, sample: int, found: int) -> tuple[int, int]:
    """Return between which numbers among all the true one lies, with `CONFIDENCE`; see `most`."""
    doubt = (1 - CONFIDENCE) / 2
    return least(population, sample, found, doubt), most(population, sample, found, doubt)


def most_of_strata(strata: list[tuple[int, int, int]]) -> int:
    """Return the greatest number in several populations together, with `CONFIDENCE`.

    Each has a part of the doubt, so that all their bounds hold at once (Bonferroni).

    Parameters
    ----------
    strata
        Population, sample and found of each.
    """
    doubt = (1 - CONFIDENCE) / max(len(strata), 1)
    return sum(most(*stratum, doubt) for stratum in strata)


def _at_most(population: int, having: int, sample: int, found: int) -> Fraction:
    """Return the probability to find so many or fewer, if so many of all have it."""
    ways = sum(
        comb(having, number) * comb(population - having, sample - number) for number in range(found + 1)
    )
    return Fraction(ways, comb(population, sample))


def _check(population: int, sample: int, found: int) -> None:
    if not 0 <= found <= sample <= population:
        raise ValueError(f"{found} found of {sample} drawn of {population}")
