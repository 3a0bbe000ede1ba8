"""Reads the documentation: code, tables, headings, links and shell blocks."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
)
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]

_BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.M | re.S)
_SPAN = re.compile(r"(`+)(.+?)\1")
_HEADING = re.compile(r"^(#+) (.+)$", re.M)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CELL_END = re.compile(r"(?<!\\)\|")


def all_text() -> str:
    """Return every page, one after the other."""
    return "\n".join(page.read_text() for page in PAGES)


def without_blocks(text: str) -> str:
    """Return a page without its fenced blocks."""
    return _BLOCK.sub("", text)


def blocks(text: str, language: str) -> list[str]:
    """Return a page's fenced blocks of a language."""
    return [block for _, name, block in _BLOCK.findall(text) if name == language]


def code(text: str) -> list[str]:
    """Return a page's code: each span, and each line of a block."""
    lines = [line.strip() for _, _, block in _BLOCK.findall(text) for line in block.splitlines()]
    spans = [span.strip().replace("\\|", "|") for _, span in _SPAN.findall(without_blocks(text))]
    return lines + spans


def headings(text: str) -> list[str]:
    """Return a page's headings, as they are written."""
    return [title for _, title in _HEADING.findall(without_blocks(text))]


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings."""
    plain = (re.sub(r"[^\w\- ]", "", title.lower()) for title in headings(text))
    return {title.strip().replace(" ", "-") for title in plain}


def section(text: str, start: str) -> str:
    """Return the text under the only heading that begins like this, up to the next heading.

    Raises
    ------
    ValueError
        There is no such heading, or more than one.
    """
    text = without_blocks(text)
    found = [match for match in _HEADING.finditer(text) if match[2].startswith(start)]
    if len(found) != 1:
        raise ValueError(f"{len(found)} headings begin with {start!r}")
    after = _HEADING.search(text, found[0].end())
    return text[found[0].end() : after.start() if after else len(text)]


def rows(text: str) -> list[dict[str, str]]:
    """Return the rows of all tables of a text, by the tables' heads."""
    found: list[dict[str, str]] = []
    head: list[str] | None = None
    for line in without_blocks(text).splitlines():
        if not line.startswith("|"):
            head = None
            continue
        cells = [cell.strip() for cell in _CELL_END.split(line.strip())[1:-1]]
        if head is None:
            head = cells
        elif not all(set(cell) <= set(":- ") for cell in cells):
            found.append(dict(zip(head, cells, strict=True)))
    return found


def first_code(cell: str) -> str:
    """Return the first code span of a cell; an empty text if it has none."""
    span = _SPAN.search(cell)
    return span[2].replace("\\|", "|") if span else ""


def links(text: str) -> list[str]:
    """Return where a page's links and images lead."""
    return _LINK.findall(without_blocks(text))


def commands_in(block: str, program: str) -> list[list[str]]:
    """Return the arguments of each call of a program in a block of shell."""
    calls = []
    for words in _lines_of_words(block.replace("\\\n", " ")):
        part: list[str] = []
        for word in [*words, ";"]:
            if word and set(word) <= set(";&|"):
                if part[:1] == [program]:
                    calls.append(part[1:])
                part = []
            elif part or "=" not in word:  # a variable before a program is not an argument
                part.append(word)
    return calls


def _lines_of_words(block: str) -> Iterator[list[str]]:
    """Split lines into words; a quoted text may span several lines."""
    begun = ""
    for line in block.splitlines():
        lexer = shlex.shlex(f"{begun}{line}", posix=True, punctuation_chars=";&|")
        lexer.whitespace_split = True
        try:
            words = list(lexer)
        except ValueError:
            begun += f"{line}\n"
        else:
            yield words
            begun = ""
