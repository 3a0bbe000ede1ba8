"""The words and numbers of one anomaly as HTML in which what comes from the data is only text."""

from collections.abc import Sequence
from html import escape
from typing import Any
from urllib.parse import quote

import pandas as pd

from dashboard.ui.decimals import decimals_of
from dashboard.ui.palette import (
    CANCELLED_SIGN,
    CORRECTED_SIGN,
    CORRECTION_COLOR,
)
from dashboard.ui.prices import limit_text, price_text
from dashboard.ui.times import format_time, format_times
from dashboard.ui.units import meaning_of, number, with_unit
from dashboard.ui.who import said_how
from dashboard.ui.zone import zone
from services.contracts.anomaly import SEVERITY_COLORS
from services.contracts.detectors import DETECTORS, PRICE_UNIT, by_label
from services.contracts.trade import SIDE_WORDS, size_text
from services.review.corrections import VenueCorrection
from services.review.verdicts import Verdict

UNITS = {label: spec.unit for label, spec in by_label().items()}
"""Unit of a detection's numbers, by label."""

MAX_EXTRA = 20
"""Fields that only one source has, shown of a trade."""

_ELIGIBILITY = {
    "price_eligible": "the market's price",
    "anchor_eligible": "later prices",
    "volume_eligible": "the volume, which counts it elsewhere",
}

_FAINT = "opacity:0.65"
_CELL = "padding:0.3rem 0.9rem 0.3rem 0;vertical-align:top;text-align:left"
_NUMBER = f"{_CELL};white-space:nowrap;font-variant-numeric:tabular-nums"

Document = dict[str, Any]


def sentence_html(anomaly: Document, correction: VenueCorrection | None = None) -> str:
    """Return the severity and the message, and what the venue said afterwards."""
    color = SEVERITY_COLORS.get(anomaly["severity"], "inherit")
    return (
        f'<div style="font-size:1.15rem;line-height:1.45;margin-bottom:0.8rem;overflow-wrap:anywhere">'
        f'<span style="color:{color}">●</span> '
        f'<b style="font-weight:600">{escape(anomaly["severity"])}</b>&ensp;'
        f"{escape(anomaly['message'])}</div>"
        f"{'' if correction is None else correction_html(correction)}"
    )


def facts_html(anomaly: Document) -> str:
    """Return what was traded and when."""
    time = pd.Series(pd.to_datetime([anomaly["@timestamp"]], format="ISO8601", utc=True))
    (at,) = format_times(time)
    side = anomaly.get("side")
    facts = [
        ("Symbol", anomaly["symbol"]),
        ("Price", price_text(anomaly["price"], 2)),
        ("Size", size_text(anomaly["size"])),
        ("Side", side and SIDE_WORDS.get(side, side)),
        ("Score", f"{anomaly['score']:.3f}"),
        ("Labels", ", ".join(anomaly["anomalies"])),
        (zone().heading, at),
        *_print_facts(anomaly),
        ("Session", anomaly.get("session")),
        ("At the time of", ", ".join(anomaly.get("events") or ()) or None),
        ("Profile hash", (anomaly.get("model") or {}).get("profile")),
        ("Trade id", anomaly["trade_id"]),
        *_stretch(anomaly),
    ]
    shown = "".join(
        f'<div><div style="{_FAINT};font-size:0.8rem">{escape(name)}</div>'
        f'<div style="overflow-wrap:anywhere">{escape(str(value))}</div></div>'
        for name, value in facts
        if value is not None
    )
    return f'<div style="display:flex;flex-wrap:wrap;gap:0.5rem 2rem;line-height:1.4">{shown}</div>'


def _print_facts(anomaly: Document) -> list[tuple[str, str]]:
    """Return where the trade was made and under which conditions, as far as its source says."""
    raw = ", ".join(anomaly.get("conditions_raw") or ())
    words = ", ".join(one.replace("_", " ") for one in anomaly.get("conditions") or ())
    facts = {
        "Source": anomaly.get("source"),
        "Venue": anomaly.get("venue"),
        "Publisher": anomaly.get("publisher_id"),
        "Tape": anomaly.get("tape"),
        "Conditions": f"{words} ({raw})" if words and raw else words or raw,
        "Says nothing about": ", ".join(
            what for name, what in _ELIGIBILITY.items() if anomaly.get(name) is False
        ),
        **{str(name): value for name, value in sorted((anomaly.get("extra") or {}).items())[:MAX_EXTRA]},
    }
    return [(name, str(value)) for name, value in facts.items() if value not in (None, "")]


def _stretch(anomaly: Document) -> list[tuple[str, str]]:
    """Return how far an anomaly has grown; nothing of one that stands for a single print."""
    count = anomaly.get("count") or 1
    return [("Prints", f"{count:,}"), ("Last trade id", anomaly["last_trade"])] if count > 1 else []


def correction_html(correction: VenueCorrection) -> str:
    """Return what the venue said of the trade, as a line that stands out."""
    sign = CANCELLED_SIGN if correction.is_cancelled else CORRECTED_SIGN
    sentence = escape(correction.sentence(zone().zone, zone().city))
    return (
        f'<div style="border-left:4px solid {CORRECTION_COLOR};background:rgba(128,128,128,0.12);'
        f'padding:0.45rem 0.8rem;margin-bottom:0.8rem;border-radius:0 6px 6px 0">'
        f'<span style="color:{CORRECTION_COLOR};font-weight:600">{sign}</span>&ensp;'
        f"{sentence[:1].upper()}{sentence[1:]}</div>"
    )


def detections_html(anomaly: Document) -> str:
    """Return a table of the detections, highest score first: what was seen, what expected, and the limit."""
    features = anomaly.get("features") or {}
    decimals = decimals_of(anomaly.get("price"), features.get("price_low"), features.get("price_high"))
    detections: Sequence[Document] = anomaly.get("detections") or []
    heads = ("Label", "Seen", "Expected", "Flagged beyond", "Score")
    head = "".join(f'<th style="{_CELL};{_FAINT};font-weight:400">{name}</th>' for name in heads)
    rows = "".join(
        f'<tr style="border-top:1px solid rgba(128,128,128,0.3)">'
        f'<td style="{_CELL}"><b style="font-weight:600">{escape(detection["label"])}</b>'
        f'<div style="{_FAINT};font-size:0.85rem">{meaning_of(_unit(detection))}</div></td>'
        + "".join(f'<td style="{_NUMBER}">{text}</td>' for text in _numbers(detection, decimals))
        + f'<td style="{_NUMBER}">{detection["score"]:.3f}</td></tr>'
        # A row of its own: beside the numbers a narrow window would have no room for it.
        f'<tr><td colspan="{len(heads)}" style="{_CELL};padding-top:0">'
        f"{escape(detection.get('reason') or '')}{_rule_html(detection.get('rule'))}</td></tr>"
        for detection in sorted(detections, key=lambda detection: -detection["score"])
    )
    return (
        '<div style="overflow-x:auto"><table style="border-collapse:collapse;width:100%;line-height:1.4">'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _numbers(detection: Document, decimals: int) -> list[str]:
    """Write what was seen, what was expected, and the limit."""
    unit = _unit(detection)
    seen, expected, limit = (detection.get(name) for name in ("value", "expected", "threshold"))
    texts = [with_unit(one, unit, decimals) for one in (seen, expected, limit)]
    if unit == PRICE_UNIT and seen is not None and limit is not None:
        texts[-1] = limit_text(limit, seen, decimals)
    return texts


def _unit(detection: Document) -> str:
    spec = DETECTORS.get(detection.get("detector", ""))
    return spec.unit if spec else UNITS.get(detection["label"], "")


def _rule_html(rule: Document | None) -> str:
    """Return what a rulebook says, as a line below the reason."""
    if rule is None:
        return ""
    deadline = rule.get("deadline")
    words = f"Reference {number(rule['reference'])}, band {100 * rule['band']:.4g}%"
    words += f", limit {number(rule['limit'])}"
    if deadline is not None:
        time = pd.Series(pd.to_datetime([deadline], format="ISO8601", utc=True))
        (local,) = format_times(time)
        words += f", request review by {local.removesuffix('.000')} ({zone().city})"
    return f'<div style="{_FAINT};font-size:0.85rem">{escape(words)}</div>'


def verdict_html(verdict: Verdict) -> str:
    """Return a verdict as HTML: what, by whom and when."""
    comment = f"<div>{escape(verdict.comment)}</div>" if verdict.comment else ""
    alert = verdict.alert_id and f'<a href="alerts?id={quote(verdict.alert_id)}" target="_self">its alert</a>'
    closed = f"<div>as the outcome of {alert}</div>" if alert else ""
    said = f"{said_by(verdict)} · {said_how(verdict.signed_in)}"
    return (
        '<div style="line-height:1.45;overflow-wrap:anywhere;margin-bottom:0.5rem">'
        f"<b>{escape(verdict.verdict.capitalize())}</b>"
        f'<div style="{_FAINT};font-size:0.85rem">{escape(said)}</div>'
        f"{closed}{comment}</div>"
    )


def said_by(verdict: Verdict) -> str:
    """Say who recorded a verdict and when, such as `by Kim on 2026-03-02 15:30 UTC`."""
    at = format_time(verdict.recorded_at, "%Y-%m-%d %H:%M")
    return f"by {verdict.recorded_by or 'an unnamed person'} on {at}"
