"""The fields that follow from the sale conditions of Massive's prints, by columns."""

import polars as pl

from services.sources.conditions import BY_NUMBER, judge


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
    judged = judge(raw, BY_NUMBER)
    return (
        list(judged.names) or None,
        [number for number in raw if number.isalnum()] or None,
        None if judged.price_eligible else False,
        None if judged.anchor_eligible else False,
        None if judged.volume_eligible else False,
    )
