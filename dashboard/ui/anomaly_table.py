"""The list of anomalies."""

from collections.abc import Callable, Collection, Mapping

import pandas as pd

from dashboard.ui.decimals import price_texts
from dashboard.ui.navigation import go_to, page_url
from dashboard.ui.row_list.row_list import Column, Kind, Row, show_rows
from dashboard.ui.times import format_times
from dashboard.ui.zone import zone
from services.contracts.trade import size_text
from services.review.corrections import VenueCorrection
from services.review.verdicts import Verdict

TIME, SYMBOL, PRICE, SIZE, SEVERITY, SCORE = "Time", "Symbol", "Price", "Size", "Severity", "Score"
_DATE_CHARS = len("2026-03-02 ")


def show_anomaly_table(
    rows: pd.DataFrame,
    verdicts: Mapping[str, Verdict],
    corrections: Mapping[str, VenueCorrection],
    key: str,
    chosen: str | None = None,
    on_choose: Callable[[str | None], None] | None = None,
    reference: str = "",
    height: int | None = None,
    can_tick: bool = False,
    marks_new: bool = False,
    sorts: Collection[str] = (),
    arrows: Mapping[str, str] | None = None,
    on_sort: Callable[[str], None] | None = None,
) -> None:
    """Show anomalies, one a row, in the order given; opens the page of the one that a person asks for.

    Parameters
    ----------
    rows
        As in `AnomalySummary.rows`.
    verdicts, corrections
        By `trade_id`.
    key, chosen, on_choose, height, can_tick, marks_new, on_sort
        As `show_rows` takes them; ids are `trade_id`.
    reference
        The search that the rows are from, as `search_address.to_reference` writes it: the anomaly's page goes
        to the next one in it.
    sorts
        Columns whose headings sort.
    arrows
        By column, the sign of the order in its heading.
    """
    columns = columns_of(rows, verdicts, corrections, sorts, arrows or {})
    shown = rows_of(rows, columns, verdicts, corrections, reference)
    opened = show_rows(key, columns, shown, chosen, on_choose, height, can_tick, marks_new, on_sort)
    if opened is not None:
        go_to("anomaly", id=opened, list=reference)


def columns_of(
    rows: pd.DataFrame,
    verdicts: Mapping[str, Verdict],
    corrections: Mapping[str, VenueCorrection],
    sorts: Collection[str] = (),
    arrows: Mapping[str, str] | None = None,
) -> list[Column]:
    """Return the columns: those of verdicts and of the venue's words only where there are any.

    Parameters
    ----------
    rows, verdicts, corrections, sorts, arrows
        As `show_anomaly_table` takes them.
    """
    ids = set(rows["trade_id"])
    day = _only_day(rows)
    columns = [
        Column(TIME, f"{day} ({zone().city})" if day else zone().heading),
        Column(SYMBOL, SYMBOL, Kind.NAME),
        Column(SEVERITY, SEVERITY, Kind.SEVERITY),
        Column(SCORE, SCORE, Kind.NUMBER),
        Column(PRICE, PRICE, Kind.NUMBER),
        Column(SIZE, SIZE, Kind.NUMBER),
        Column("Message", "Message", Kind.SENTENCE),
        *([Column("Verdict", "Verdict", Kind.TEXT)] if ids & verdicts.keys() else []),
        *([Column("Venue", "Venue (UTC)", Kind.TEXT)] if ids & corrections.keys() else []),
    ]
    signs = arrows or {}
    return [
        Column(
            each.name, f"{each.heading} {signs.get(each.name, '')}".rstrip(), each.kind, each.name in sorts
        )
        for each in columns
    ]


def rows_of(
    rows: pd.DataFrame,
    columns: list[Column],
    verdicts: Mapping[str, Verdict],
    corrections: Mapping[str, VenueCorrection],
    reference: str = "",
) -> list[Row]:
    """Lay anomalies out for these columns, in the same order.

    Parameters
    ----------
    rows, verdicts, corrections, reference
        As `show_anomaly_table` takes them.
    columns
        As `columns_of` returns them.
    """
    is_one_day = bool(_only_day(rows))
    times = [text[_DATE_CHARS:] if is_one_day else text for text in format_times(rows["time"])]
    ids = rows["trade_id"].tolist()
    cells: dict[str, list[tuple[str, str]]] = {
        TIME: [(text, "") for text in times],
        SYMBOL: [(symbol, "") for symbol in rows["symbol"]],
        SEVERITY: [(severity, "") for severity in rows["severity"]],
        SCORE: [(f"{score:.3f}", "") for score in rows["score"]],
        PRICE: [(text, "") for text in price_texts(rows["price"], rows["symbol"])],
        SIZE: [(size_text(size), "") for size in rows["size"]],
        "Message": [
            (message, " · ".join(labels))
            for message, labels in zip(rows["message"], rows["labels"], strict=True)
        ],
        "Verdict": [(verdicts[one].verdict if one in verdicts else "", "") for one in ids],
        "Venue": [(corrections[one].short(zone().zone) if one in corrections else "", "") for one in ids],
    }
    return [
        Row(one, anomaly_url(one, reference), tuple(cells[column.name][number] for column in columns))
        for number, one in enumerate(ids)
    ]


def anomaly_url(trade_id: str, reference: str = "") -> str:
    """Return the address of an anomaly's page, relative to any page of the dashboard."""
    return page_url("anomaly", id=trade_id, list=reference)


def _only_day(rows: pd.DataFrame) -> str:
    """Return the day that all rows are of, such as `2026-03-02`; empty if they are of several."""
    days = zone().local(rows["time"]).dt.strftime("%Y-%m-%d").unique()
    return str(days[0]) if len(days) == 1 else ""
