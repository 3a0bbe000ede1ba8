"""The words and numbers of one anomaly as HTML in which what comes from the data is only text."""

from collections.abc import Sequence
from html import escape
from typing import Any

import pandas as pd

from dashboard.ui.exchange import exchange
from dashboard.ui.legend import entry
from dashboard.ui.palette import (
    CANCELLED_SIGN,
    CORRECTED_SIGN,
    CORRECTION_COLOR,
    RING_COLOR,
    SHAPE_SIGNS,
    SIDE_COLORS,
    SIDE_NAMES,
    label_shapes,
)
from dashboard.ui.times import format_times
from services.contracts.anomaly import SEVERITY_COLORS
from services.contracts.detectors import by_label
from services.contracts.trade import size_text
from services.review.corrections import VenueCorrection
from services.review.verdicts import Verdict

UNITS = {label: spec.unit for label, spec in by_label().items()}
"""Unit of a detection's numbers, by label."""

SIDE_WORDS = {"B": "Buy", "A": "Sell", "N": "No side"}

_FAINT = "opacity:0.65"
_CELL = "padding:0.3rem 0.9rem 0.3rem 0;vertical-align:top;text-align:left"
_NUMBER = f"{_CELL};white-space:nowrap;font-variant-numeric:tabular-nums"

Document = dict[str, Any]


def headline_html(anomaly: Document, correction: VenueCorrection | None = None) -> str:
    """Return the severity and the message, what the venue said afterwards, and what was traded and when."""
    color = SEVERITY_COLORS.get(anomaly["severity"], "inherit")
    time = pd.Series(pd.to_datetime([anomaly["@timestamp"]], format="ISO8601", utc=True))
    (utc,), (local,) = format_times(time), format_times(exchange().local(time))
    side = anomaly.get("side")
    facts = [
        ("Symbol", anomaly["symbol"]),
        ("Price", f"{anomaly['price']:,.10g}"),
        ("Size", size_text(anomaly["size"])),
        ("Side", side and SIDE_WORDS.get(side, side)),
        ("Score", f"{anomaly['score']:.3f}"),
        ("Labels", ", ".join(anomaly["anomalies"])),
        ("Time (UTC)", utc),
        (exchange().city, None if exchange().is_utc else local),
        ("Session", anomaly.get("session")),
        ("Profile hash", (anomaly.get("model") or {}).get("profile")),
        ("Trade id", anomaly["trade_id"]),
    ]
    shown = "".join(
        f'<div><div style="{_FAINT};font-size:0.8rem">{name}</div>'
        f'<div style="overflow-wrap:anywhere">{escape(str(value))}</div></div>'
        for name, value in facts
        if value is not None
    )
    return (
        f'<div style="font-size:1.15rem;line-height:1.45;margin-bottom:0.8rem;overflow-wrap:anywhere">'
        f'<span style="color:{color};font-weight:600">● {escape(anomaly["severity"])}</span>&ensp;'
        f"{escape(anomaly['message'])}</div>"
        f"{'' if correction is None else correction_html(correction)}"
        f'<div style="display:flex;flex-wrap:wrap;gap:0.5rem 2rem;line-height:1.4">{shown}</div>'
    )


def correction_html(correction: VenueCorrection) -> str:
    """Return what the venue said of the trade, as a line that stands out."""
    sign = CANCELLED_SIGN if correction.is_cancelled else CORRECTED_SIGN
    sentence = escape(correction.sentence)
    return (
        f'<div style="border-left:4px solid {CORRECTION_COLOR};background:rgba(128,128,128,0.12);'
        f'padding:0.45rem 0.8rem;margin-bottom:0.8rem;border-radius:0 6px 6px 0">'
        f'<span style="color:{CORRECTION_COLOR};font-weight:600">{sign}</span>&ensp;'
        f"{sentence[:1].upper()}{sentence[1:]}</div>"
    )


def detections_html(detections: Sequence[Document]) -> str:
    """Return a table of the detections, highest score first: what was seen, what expected, and the limit."""
    heads = ("Label", "Seen", "Expected", "Threshold", "Score")
    head = "".join(f'<th style="{_CELL};{_FAINT};font-weight:400">{name}</th>' for name in heads)
    rows = "".join(
        f'<tr style="border-top:1px solid rgba(128,128,128,0.3)">'
        f'<td style="{_CELL}"><b style="font-weight:600">{escape(detection["label"])}</b>'
        f'<div style="{_FAINT};font-size:0.85rem">{UNITS.get(detection["label"], "")}</div></td>'
        + "".join(
            f'<td style="{_NUMBER}">{number(detection.get(name))}</td>'
            for name in ("value", "expected", "threshold")
        )
        + f'<td style="{_NUMBER}">{detection["score"]:.3f}</td></tr>'
        # A row of its own: beside the numbers a narrow window would have no room for it.
        f'<tr><td colspan="{len(heads)}" style="{_CELL};padding-top:0">'
        f"{escape(detection.get('reason') or '')}</td></tr>"
        for detection in sorted(detections, key=lambda detection: -detection["score"])
    )
    return (
        '<div style="overflow-x:auto"><table style="border-collapse:collapse;width:100%;line-height:1.4">'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def around_legend_html(trades: pd.DataFrame) -> str:
    """Return what the signs in the charts of the trades around an anomaly mean.

    Parameters
    ----------
    trades
        As `queries.find_trades_around` returns them.
    """
    known = set(trades["severity"])
    entries = [
        ("○", RING_COLOR, "this trade"),
        *(
            ("●", color, severity)
            for severity, color in reversed(SEVERITY_COLORS.items())
            if severity in known
        ),
        *(
            (SHAPE_SIGNS[shape], "inherit", label)
            for label, shape in label_shapes(set(trades["label"]) - {""}).items()
        ),
        *(("■", SIDE_COLORS[side], name) for side, name in SIDE_NAMES.items()),
    ]
    shown = "".join(entry(*one) for one in entries)
    return f'<div style="display:flex;flex-wrap:wrap;gap:0.15rem 1.1rem;font-size:0.875rem">{shown}</div>'


def verdict_html(verdict: Verdict) -> str:
    """Return a verdict as HTML: what, by whom and when."""
    comment = f"<div>{escape(verdict.comment)}</div>" if verdict.comment else ""
    return (
        f'<div style="line-height:1.45;overflow-wrap:anywhere"><b>{escape(verdict.verdict.capitalize())}</b>'
        f'<div style="{_FAINT};font-size:0.85rem">{escape(said_by(verdict))}</div>{comment}</div>'
    )


def said_by(verdict: Verdict) -> str:
    """Say who recorded a verdict and when, such as `by Kim on 2026-03-02 15:30 UTC`."""
    return f"by {verdict.recorded_by or 'an unnamed person'} on {verdict.recorded_at:%Y-%m-%d %H:%M} UTC"


def number(value: float | None) -> str:
    """Write a number with the digits that matter: `50,000`, `139.25`, `0.000123`; `-` for None."""
    if value is None:
        return "-"
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    if abs(value) < 1:
        return f"{value:.4g}"
    # Four decimals for a share's price, five for a currency's.
    return (f"{value:,.4f}" if abs(value) >= 10 else f"{value:,.5f}").rstrip("0")
