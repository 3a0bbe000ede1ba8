"""Sale conditions of the US tapes: what they mean, and whether prints with them say something of the market.

The rules are those of the consolidated tapes (high, low, last and volume; the CTA's and UTP's specifications
and Massive's glossary), for what detection needs: whether a price may be judged and learnt, may alone be what
the next is compared with, and whether a size counts. The tapes A and B (CTA) and the tape C (UTP) use letters
of their own; Massive numbers the conditions of all.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

Use = Literal["full", "no_anchor", "no_price", "no_trade"]
"""What a print is good for: everything; its price is judged, but no later one is compared with it alone; its
price belongs to another time or deal; it is no trade, its size was counted elsewhere."""

UNKNOWN = "unknown"

_STRICTNESS: tuple[Use, ...] = ("full", "no_anchor", "no_price", "no_trade")


class Condition(NamedTuple):
    """A sale condition.

    Parameters
    ----------
    name
        What the field `conditions` says; empty for an ordinary trade.
    use
        What a print with it is good for.
    number
        Massive's number; None where it has none.
    letter_ab, letter_c
        The letters on the tapes A and B, and on the tape C; None where a tape does not have it.
    """

    name: str
    use: Use
    number: int | None
    letter_ab: str | None
    letter_c: str | None


CONDITIONS = (
    Condition("", "full", 0, "@", "@"),
    Condition("acquisition", "full", 1, None, "A"),
    Condition("average_price", "no_price", 2, "B", "W"),
    Condition("automatic_execution", "full", 3, "E", None),
    Condition("bunched", "full", 4, None, "B"),
    Condition("bunched_sold", "no_price", 5, "G", "G"),
    Condition("cash_sale", "no_price", 7, "C", "C"),
    Condition("closing", "full", 8, "6", "6"),
    Condition("cross", "full", 9, "X", "X"),
    Condition("derivatively_priced", "no_price", 10, "4", "4"),
    Condition("distribution", "full", 11, None, "D"),
    Condition("form_t", "no_anchor", 12, "T", "T"),
    Condition("extended_hours_out_of_sequence", "no_price", 13, "U", "U"),
    Condition("intermarket_sweep", "full", 14, "F", "F"),
    Condition("official_close", "no_trade", 15, "M", "M"),
    Condition("official_open", "no_trade", 16, "Q", "Q"),
    Condition("next_day", "no_price", 20, "N", "N"),
    Condition("price_variation", "no_price", 21, "H", "H"),
    Condition("prior_reference_price", "no_price", 22, "P", "P"),
    Condition("rule_155", "full", 23, "K", "K"),
    Condition("opening", "full", 25, "O", "O"),
    Condition("stopped_stock", "full", 27, None, "1"),
    Condition("reopening", "full", 28, "5", "5"),
    Condition("seller", "no_price", 29, "R", "R"),
    Condition("sold_last", "no_price", 30, "L", "L"),
    Condition("sold_out_of_sequence", "no_price", 33, "Z", "Z"),
    Condition("split", "full", 34, None, "S"),
    Condition("yellow_flag", "full", 36, None, "Y"),
    Condition("odd_lot", "no_anchor", 37, "I", "I"),
    Condition("corrected_consolidated_close", "no_trade", 38, "9", "9"),
    Condition("trade_through_exempt", "full", 41, None, None),
    Condition("contingent", "no_price", 52, "V", "V"),
    Condition("qualified_contingent", "no_price", 53, "7", "7"),
    # Placeholders, which say nothing.
    Condition("", "full", None, "8", "8"),
    Condition("", "full", None, None, "E"),
)
"""One that is not here is `unknown`, and the price of its print is not judged."""

BY_NUMBER: Mapping[str, Condition] = {
    str(each.number): each for each in CONDITIONS if each.number is not None
}

_ON_CTA = {each.letter_ab: each for each in CONDITIONS if each.letter_ab is not None}
_ON_UTP = {each.letter_c: each for each in CONDITIONS if each.letter_c is not None}
BY_LETTER: Mapping[str, Mapping[str, Condition]] = {"A": _ON_CTA, "B": _ON_CTA, "C": _ON_UTP}
"""By tape, then by letter."""


@dataclass(frozen=True)
class Judged:
    """What the conditions of one print come to.

    Parameters
    ----------
    names
        For the field `conditions`.
    use
        The strictest of all.
    unknown
        Those that are not in the table, as the venue wrote them.
    """

    names: tuple[str, ...]
    use: Use
    unknown: tuple[str, ...] = ()

    @property
    def price_eligible(self) -> bool:
        """Whether the price says something about the market at this time."""
        return self.use in ("full", "no_anchor")

    @property
    def anchor_eligible(self) -> bool:
        """Whether a later price may be compared with this one alone."""
        return self.use == "full"

    @property
    def volume_eligible(self) -> bool:
        """Whether the size was not already counted elsewhere."""
        return self.use != "no_trade"


def judge(raw: Iterable[str], table: Mapping[str, Condition]) -> Judged:
    """Return what conditions come to.

    Parameters
    ----------
    raw
        As the venue writes them; a blank is none.
    table
        `BY_NUMBER`, or `BY_LETTER` of a tape.
    """
    names: dict[str, None] = {}
    unknown = []
    strictest = 0
    for one in raw:
        text = one.strip()
        if not text:
            continue
        condition = table.get(text)
        if condition is None:
            unknown.append(text)
            names[UNKNOWN] = None
            strictest = max(strictest, _STRICTNESS.index("no_price"))
            continue
        if condition.name:
            names[condition.name] = None
        strictest = max(strictest, _STRICTNESS.index(condition.use))
    return Judged(tuple(names), _STRICTNESS[strictest], tuple(unknown))
