"""The page of a run: a chart for each kind of figure, with the faults as lines."""

import math
from collections.abc import Mapping, Sequence
from html import escape

from benchmarks.growth import Points

_WIDTH, _HEIGHT = 900, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 20, 12, 26
_COLORS = ("#2f6fd0", "#c8553d", "#3a9d62", "#8a5cc2", "#c79a1e", "#2a9fb0", "#b0508f", "#6b7280", "#7a4a1e")

_HEAD = """<!doctype html><meta charset="utf-8"><title>Soak</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 940px; margin: 2rem auto; padding: 0 1rem;
  color: #1f2933; background: #fff }
svg { width: 100%; height: auto } svg text { font-size: 12px; fill: #52606d }
.grid { stroke: #e4e7eb } .fault { stroke: #c8553d; stroke-dasharray: 2 3; opacity: .5 }
.key { display: inline-block; margin-right: 1rem } .key i { display: inline-block; width: 1rem; height: 3px;
  vertical-align: middle; margin-right: .3rem }
table { border-collapse: collapse } td, th { padding: .15rem .8rem .15rem 0; text-align: left }
td:nth-child(n+2) { text-align: right; font-variant-numeric: tabular-nums }
</style>
"""


def page(
    title: str,
    charts: Mapping[str, Mapping[str, Points]],
    faults: Sequence[tuple[float, str]],
    rows: Sequence[Sequence[str]],
) -> str:
    """Write the page.

    Parameters
    ----------
    title
        What was run.
    charts
        By title, each with its figures by name.
    faults
        Seconds since the beginning, and what was done.
    rows
        Of the table: heads first.
    """
    whole_s = max(
        (at_s for chart in charts.values() for line in chart.values() for at_s, _ in line), default=1.0
    )
    parts = [_HEAD, f"<h1>{escape(title)}</h1>", _table(rows)]
    for name, lines in charts.items():
        parts += [f"<h2>{escape(name)}</h2>", _chart(lines, faults, max(whole_s, 1.0)), _keys(lines)]
    return "".join(parts)


def _table(rows: Sequence[Sequence[str]]) -> str:
    heads, *others = rows
    lines = ["".join(f"<th>{escape(cell)}</th>" for cell in heads)]
    lines += ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in others]
    return "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def _keys(lines: Mapping[str, Points]) -> str:
    return "".join(
        f'<span class="key"><i style="background:{color}"></i>{escape(name)}</span>'
        for name, color in zip(lines, _colors(len(lines)), strict=True)
    )


def _colors(count: int) -> list[str]:
    return [_COLORS[number % len(_COLORS)] for number in range(count)]


def _chart(lines: Mapping[str, Points], faults: Sequence[tuple[float, str]], whole_s: float) -> str:
    step = _round_step(max((value for line in lines.values() for _, value in line), default=0.0))
    top = 4 * step
    wide, high = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def place(at_s: float, value: float) -> tuple[float, float]:
        return _LEFT + wide * at_s / whole_s, _TOP + high * (1 - min(value / top, 1.0))

    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">']
    for number in range(5):
        _, y = place(0, number * step)
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{number * step:,.4g}</text>'
        )
    for minute in range(0, int(whole_s // 60) + 1, max(int(whole_s // 600), 1)):
        x, _ = place(60 * minute, 0)
        parts.append(f'<text x="{x:.1f}" y="{_HEIGHT - 8}" text-anchor="middle">{minute} min</text>')
    for at_s, what in faults:
        x, _ = place(at_s, 0)
        ends = f'x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_TOP + high}"'
        parts.append(f'<line class="fault" {ends}><title>{escape(what)}</title></line>')
    for line, color in zip(lines.values(), _colors(len(lines)), strict=True):
        way = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in line))
        parts.append(f'<polyline points="{way}" fill="none" stroke="{color}" stroke-width="1.5"/>')
    return "".join([*parts, "</svg>"])


def _round_step(highest: float) -> float:
    """Return a quarter of a round number that is not below the highest."""
    if highest <= 0:
        return 1.0
    unit = 10.0 ** math.floor(math.log10(highest / 4))
    return next(factor * unit for factor in (1, 2, 2.5, 5, 10) if 4 * factor * unit >= highest)
