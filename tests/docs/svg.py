"""Parts of pictures in SVG: boxes, texts, tables, and the hours under a chart."""

import datetime as dt
from collections.abc import Iterator
from html import escape
from textwrap import wrap

_LETTER_PX = 6.1
_LINE_PX = 13


def box(x: float, y: float, width: float, height: float, color: str) -> str:
    """Return a filled box, at least half a pixel wide and high."""
    size = f'width="{max(width, 0.5):.1f}" height="{max(height, 0.5):.1f}"'
    return f'<rect x="{x:.1f}" y="{y:.1f}" {size} fill="{color}"/>'


def text(x: float, y: float, words: str, weight: str = "", color: str = "") -> str:
    """Return a line of text."""
    style = (f' font-weight="{weight}"' if weight else "") + (f' fill="{color}"' if color else "")
    return f'<text x="{x:.1f}" y="{y:.1f}"{style}>{escape(words)}</text>'


def hours(low: float, high: float, left: float, scale: float, height: int) -> Iterator[str]:
    """Yield every second hour between two times, in seconds since 1970, under a chart of a height."""
    for second in range(int(low), int(high), 7200):
        label = dt.datetime.fromtimestamp(second, dt.UTC).strftime("%H:%M")
        yield text(left + (second - low) * scale, height - 7, label)


def table(
    heads: list[tuple[str, int]], rows: list[list[str]], width: int, height: int, top: int, most_lines: int
) -> Iterator[str]:
    """Yield heads, which have widths, and the rows that have room; a cell has so many lines at most."""
    scale = min(1.0, (width - 20) / sum(px for _, px in heads))
    y = top + 10
    for at, row in enumerate([[head for head, _ in heads], *rows]):
        letters = [max(int(px * scale / _LETTER_PX) - 1, 1) for _, px in heads]
        cells = [wrap(words, most)[:most_lines] for words, most in zip(row, letters, strict=True)]
        lines = max(len(cell) for cell in cells)
        if y + _LINE_PX * lines > height:
            return
        x = 10.0
        for cell, (_, px) in zip(cells, heads, strict=True):
            for line, words in enumerate(cell):
                yield text(x, y + _LINE_PX * line, words, "bold" if at == 0 else "")
            x += px * scale
        y += _LINE_PX * lines + 6
