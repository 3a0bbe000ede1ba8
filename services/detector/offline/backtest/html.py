"""A backtest's report as one self-contained HTML file, with plots as SVG."""

import math
from html import escape

from services.contracts.detectors import by_label
from services.contracts.trade import size_text
from services.detector.offline.backtest.report import (
    ROWS_SHOWN,
    SCORE_BINS,
    SEVERITIES,
    SLOT_MINUTES,
    Rate,
    Report,
    Tally,
)

LABEL_COLORS = {label: spec.color for label, spec in by_label().items()}

_WIDTH, _HEIGHT = 960, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 8, 10, 24

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2330; --dim: #667085; --line: #d8dce3; --page: #fff }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ef; --dim: #98a1b0; --line: #343b48; --page: #14181f }
}
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--page);
  max-width: 1000px; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.6rem; margin: 0 } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
p.dim, td.dim, .dim { color: var(--dim) }
.figures { display: flex; flex-wrap: wrap; gap: .5rem 2rem; margin: 1rem 0 }
.figures b { display: block; font-size: 1.25rem; font-variant-numeric: tabular-nums }
.scroll { overflow-x: auto }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top }
th { color: var(--dim); font-weight: 500 }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
.nowrap { white-space: nowrap }
svg { width: 100%; height: auto; display: block } svg text { font-size: 12px; fill: var(--dim) }
.grid { stroke: var(--line) }
.key { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; font-size: .85rem }
.key i { display: inline-block; width: .7rem; height: .7rem; border-radius: 2px; margin-right: .4rem }
.critical { color: #e71d40; font-weight: 600 } .high { color: #d95f00; font-weight: 600 }
.medium { color: #a437f3 } .low { color: #5b7fd6 } .info { color: var(--dim) }
"""


def html_page(report: Report) -> str:
    """Write a report as an HTML page; all text from the data is escaped."""
    tally = report.tally
    symbols, sessions = tally.symbols(), tally.sessions()
    days = sorted({rate.name.rsplit(" ", 1)[1] for rate in sessions})
    span = f"{days[0]} to {days[-1]}" if len(days) > 1 else "".join(days)
    figures = "".join(f"<div>{escape(name)}<b>{escape(value)}</b></div>" for name, value in report.summary())
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Tapewatch backtest {escape(span)}</title><style>{_STYLE}</style></head><body>",
        "<h1>Tapewatch backtest</h1>",
        f'<p class="dim">{escape(span)} · {escape(", ".join(report.files))}</p>',
        f'<div class="figures">{figures}</div>',
        *(f"<p>{escape(remark)}</p>" for remark in report.remarks),
    ]
    if tally.anomalies:
        colors = label_colors(tally.labels)
        parts += [
            _key(colors),
            f"<h2>Anomalies over the day, exchange time ({escape(tally.time_zone)})</h2>",
            _day_plot(tally, colors),
            "<h2>Scores: 0.5 is the alert line</h2>",
            _score_plot(tally, colors),
            "<h2>Highest scores of each label</h2>",
            _striking(tally),
            "<h2>By primary label</h2>",
            _labels(tally),
        ]
    if report.held_back:
        rows = "".join(
            f'<tr><td>{escape(line)}</td><td class="n">{count:,}</td></tr>'
            for line, count in report.held_back.items()
        )
        parts += [
            "<h2>Held back by the profile</h2>",
            f'<table><tr><th>line</th><th class="n">detections</th></tr>{rows}</table>',
        ]
    if tally.trades:
        parts += ["<h2>By symbol</h2>", _rates("symbol", symbols[:ROWS_SHOWN], len(symbols))]
        if len(sessions) > len(symbols):
            parts += ["<h2>By session</h2>", _rates("session", sessions[:ROWS_SHOWN], len(sessions))]
        hours = tally.hours()
        parts += ["<h2>By hour, exchange time</h2>", _rates("hour", hours, len(hours))]
    parts.append("</body></html>\n")
    return "\n".join(parts)


def label_colors(labels: list[str]) -> dict[str, str]:
    """Give each label its colour, in the order of `LABEL_COLORS`; an unknown one is grey."""
    known = [label for label in LABEL_COLORS if label in labels]
    return {label: LABEL_COLORS.get(label, "#8a8f98") for label in [*known, *(set(labels) - set(known))]}


def stacked_bars(names: list[str], series: dict[str, list[int]], colors: dict[str, str], every: int) -> str:
    """Draw bars of counts, one on the other, as an SVG element.

    Parameters
    ----------
    names
        Name of each bar, n of them.
    series
        Label to its n counts, from the bottom up.
    colors
        Label to its colour.
    every
        Number of bars from one written name to the next.
    """
    highest = max((sum(counts) for counts in zip(*series.values(), strict=True)), default=0)
    step = _step(highest)
    top = max(math.ceil(highest / step), 1) * step
    plot_width, plot_height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    width = plot_width / max(len(names), 1)
    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">']
    for value in range(0, top + 1, step):
        y = _TOP + plot_height * (1 - value / top)
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:,}</text>'
        )
    for at, name in enumerate(names):
        x, below = _LEFT + at * width, 0
        if at % every == 0:
            parts.append(f'<text x="{x:.1f}" y="{_HEIGHT - 6}">{escape(name)}</text>')
        for label, counts in series.items():
            if not counts[at]:
                continue
            height = plot_height * counts[at] / top
            below += counts[at]
            y = _TOP + plot_height * (1 - below / top)
            place = f'x="{x + 0.5:.1f}" y="{y:.1f}" width="{max(width - 1, 0.5):.1f}" height="{height:.1f}"'
            tip = escape(f"{name}: {counts[at]:,} {label}")
            parts.append(f'<rect {place} fill="{escape(colors[label])}"><title>{tip}</title></rect>')
    return "".join([*parts, "</svg>"])


def _step(highest: int) -> int:
    """Return a round distance of about four grid lines."""
    if highest <= 4:
        return 1
    power: int = 10 ** int(math.log10(highest / 4))
    return next(factor * power for factor in (1, 2, 5, 10) if highest / (factor * power) <= 5)


def _day_plot(tally: Tally, colors: dict[str, str]) -> str:
    hours = [int(rate.name[:2]) for rate in tally.hours()]
    slots = range(min(hours) * 60 // SLOT_MINUTES, (max(hours) + 1) * 60 // SLOT_MINUTES)
    names = [f"{slot * SLOT_MINUTES // 60:02}:{slot * SLOT_MINUTES % 60:02}" for slot in slots]
    series = {label: [tally.times[label, slot] for slot in slots] for label in colors}
    return stacked_bars(names, series, colors, every=120 // SLOT_MINUTES if len(slots) > 24 else 4)


def _score_plot(tally: Tally, colors: dict[str, str]) -> str:
    if not tally.scores:
        return '<p class="dim">Only auction crosses.</p>'
    lowest = min(at for _, at in tally.scores)
    bins = range(lowest, SCORE_BINS)
    names = [f"{at / SCORE_BINS:.3g}" for at in bins]
    series = {label: [tally.scores[label, at] for at in bins] for label in colors}
    return stacked_bars(names, series, colors, every=2)


def _key(colors: dict[str, str]) -> str:
    items = "".join(
        f'<span><i style="background:{color}"></i>{escape(label)}</span>' for label, color in colors.items()
    )
    return f'<div class="key">{items}</div>'


def _labels(tally: Tally) -> str:
    rows = []
    for label in tally.labels:
        counts = [tally.severities[label, severity] for severity in SEVERITIES]
        rows.append([escape(label), *(f"{count:,}" for count in (*counts, sum(counts), tally.also[label]))])
    return _table(["label", *SEVERITIES, "all", "as secondary"], rows)


def _rates(name: str, rates: list[Rate], count: int) -> str:
    most = max((rate.flagged for rate in rates), default=0) or 1
    rows = [
        [
            escape(rate.name),
            f"{rate.trades:,}",
            f"{rate.flagged:,}",
            f"{rate.per_1000:.3f}",
            f"{rate.info:,}",
            f'<svg viewBox="0 0 200 12" style="width:200px"><rect y="1" height="10" rx="2" fill="#3f7fd8" '
            f'width="{200 * rate.flagged / most:.1f}"/></svg>',
        ]
        for rate in rates
    ]
    more = f'<p class="dim">and {count - len(rates):,} more</p>' if count > len(rates) else ""
    return _table([name, "trades", "flagged", "per 1,000", "info", ""], rows) + more


def _striking(tally: Tally) -> str:
    rows = "".join(
        f'<tr><td class="nowrap">{escape(one.label)}</td>'
        f'<td class="nowrap"><b>{escape(one.symbol)}</b> {size_text(one.size)} at {one.price:,.10g}'
        f'<br><span class="dim">{escape(one.time)}</span></td>'
        f'<td class="{escape(one.severity)}">{escape(one.severity)}</td>'
        f'<td class="n">{one.score:.3f}</td><td>{escape(one.message)}</td></tr>'
        for one in tally.striking()
    )
    head = "<tr><th>label</th><th>trade</th><th>severity</th><th>score</th><th>why</th></tr>"
    return f'<div class="scroll"><table>{head}{rows}</table></div>'


def _table(heads: list[str], rows: list[list[str]]) -> str:
    """Write rows of cells that are HTML already; all but the first are numbers."""
    head = "".join(f'<th class="{"n" if at else ""}">{escape(name)}</th>' for at, name in enumerate(heads))
    body = "".join(
        "<tr>"
        + "".join(f'<td class="{"n" if at else ""}">{cell}</td>' for at, cell in enumerate(row))
        + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>'
