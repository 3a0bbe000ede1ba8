"""What Massive's numbers of sale conditions mean, and whether prints with them say something of the market.

The rules are those of the consolidated tapes (high, low, last and volume), for what detection needs: whether
a price may be judged and learnt, may alone be what the next is compared with, and whether a size counts.
"""

from typing import Literal, NamedTuple

import polars as pl

Use = Literal["full", "no_anchor", "no_price", "no_trade"]
"""What a print is good for: everything; its price is judged, but no later one is compared with it alone; its
price belongs to another time or deal; it is no trade, its size was counted elsewhere."""

UNKNOWN = "unknown"


class Condition(NamedTuple):
    """A sale condition.

    Parameters
    ----------
    name
        What the field `conditions` says; empty for an ordinary trade.
    use
        What a print with it is good for.
    """

    name: str
    use: Use


CONDITIONS = {
    0: Condition("", "full"),
    1: Condition("acquisition", "full"),
    2: Condition("average_price", "no_price"),
    3: Condition("automatic_execution", "full"),
    4: Condition("bunched", "full"),
    5: Condition("bunched_sold", "no_price"),
    7: Condition("cash_sale", "no_price"),
    8: Condition("closing", "full"),
    9: Condition("cross", "full"),
    10: Condition("derivatively_priced", "no_price"),
    11: Condition("distribution", "full"),
    12: Condition("form_t", "no_anchor"),
    13: Condition("extended_hours_out_of_sequence", "no_price"),
    14: Condition("intermarket_sweep", "full"),
    15: Condition("official_close", "no_trade"),
    16: Condition("official_open", "no_trade"),
    20: Condition("next_day", "no_price"),
    21: Condition("price_variation", "no_price"),
    22: Condition("prior_reference_price", "no_price"),
    23: Condition("rule_155", "full"),
    25: Condition("opening", "full"),
    27: Condition("stopped_stock", "full"),
    28: Condition("reopening", "full"),
    29: Condition("seller", "no_price"),
    30: Condition("sold_last", "no_price"),
    33: Condition("sold_out_of_sequence", "no_price"),
    34: Condition("split", "full"),
    36: Condition("yellow_flag", "full"),
    37: Condition("odd_lot", "no_anchor"),
    38: Condition("corrected_consolidated_close", "no_trade"),
    41: Condition("trade_through_exempt", "full"),
    52: Condition("contingent", "no_price"),
    53: Condition("qualified_contingent", "no_price"),
}
"""By Massive's number. Another number is `unknown`, and its price is not judged."""

_STRICTNESS: tuple[Use, ...] = ("full", "no_anchor", "no_price", "no_trade")


class Conditions:
    """Looks conditions up, each text once."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[object, ...]] = {}

    def columns(self, texts: pl.Series) -> pl.DataFrame:
        """Return the fields that follow from conditions.

        Parameters
        ----------
        texts
            Numbers with commas between them, perhaps none; n values without nulls.

        Returns
        -------
        pl.DataFrame
            Columns `conditions`, `conditions_raw`, `price_eligible`, `anchor_eligible` and `volume_eligible`,
            n rows, null where the default holds.
        """
        for text in texts.unique():
            if text not in self._known:
                self._known[text] = (text, *_fields(text))
        table = pl.DataFrame(
            list(self._known.values()),
            schema={
                "text": pl.String,
                "conditions": pl.List(pl.String),
                "conditions_raw": pl.List(pl.String),
                "price_eligible": pl.Boolean,
                "anchor_eligible": pl.Boolean,
                "volume_eligible": pl.Boolean,
            },
            orient="row",
        )
        return (
            texts.rename("text")
            .to_frame()
            .join(table, on="text", how="left", maintain_order="left")
            .drop("text")
        )


def _fields(text: str) -> tuple[object, ...]:
    raw = [number.strip() for number in text.split(",") if number.strip()]
    found = [
        CONDITIONS.get(int(number), Condition(UNKNOWN, "no_price"))
        if number.isdecimal()
        else Condition(UNKNOWN, "no_price")
        for number in raw
    ]
    names = list(dict.fromkeys(condition.name for condition in found if condition.name))
    strictest = max((_STRICTNESS.index(condition.use) for condition in found), default=0)
    return (
        names or None,
        [number for number in raw if number.isalnum()] or None,
        False if strictest >= 2 else None,
        False if strictest >= 1 else None,
        False if strictest == 3 else None,
    )
