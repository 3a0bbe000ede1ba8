"""`python -m tests.docs.demo_picture` runs the demo, and draws what it writes to a terminal, for README.md.

It needs the demo's usual ports, which the picture shows.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
from io import StringIO

from rich.ansi import AnsiDecoder
from rich.console import Console
from rich.text import Text

from tests.docs.pages import ROOT

PICTURE = ROOT / "docs" / "images" / "demo.svg"
COMMAND = "make demo"
WIDTH, HEIGHT = 104, 100
_MOVES = re.compile(r"(\r|\x1b\[1A|\x1b\[2K|\x1b\[\?25[lh])")
_FROM_ELSEWHERE = re.compile(r"@font-face \{.*?\}\s*|<!--.*?-->", re.DOTALL)
"""Fonts that rich would have a browser load."""


def main() -> None:
    """Run the demo until it says where to look next, and draw it."""
    PICTURE.write_text(drawn(run_demo()))


def run_demo() -> str:
    """Return what the demo writes to a terminal of the picture's width, with its control codes."""
    # No terminal is needed: rich believes these.
    terminal = {"FORCE_COLOR": "1", "TERM": "xterm-256color", "COLUMNS": str(WIDTH), "LINES": str(HEIGHT)}
    with tempfile.TemporaryDirectory() as folder:
        demo = subprocess.Popen(
            [sys.executable, "-m", "cli.main", "demo"],
            cwd=folder,
            env=os.environ | terminal | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
        )
        assert demo.stdout is not None
        lines = []
        for line in demo.stdout:
            lines.append(line.decode())
            if "Ctrl-C" in lines[-1]:  # the last line of the box that says where to look next
                lines.append(next(demo.stdout).decode())
                demo.send_signal(signal.SIGINT)
                break
        demo.communicate()
    written = "".join(lines)
    assert demo.returncode == 0, written
    return written


def screen(written: str) -> list[str]:
    """Return the lines that a terminal shows in the end; their colours stay as control codes.

    Knows what rich writes to draw a part of the screen again: the beginning of the line, a line up, and the
    line erased.
    """
    lines, at = [""], 0
    for number, row in enumerate(written.split("\n")):
        if number:
            at += 1
            lines += [""] * (at + 1 - len(lines))
        for part in _MOVES.split(row):
            match part:
                case "\x1b[1A":
                    at = max(at - 1, 0)
                case "\x1b[2K":
                    lines[at] = ""
                case _ if not _MOVES.fullmatch(part):
                    lines[at] += part
    return lines


def drawn(written: str) -> str:
    """Return what was written as a picture in SVG."""
    console = Console(width=WIDTH, record=True, file=StringIO(), force_terminal=True)
    console.print(Text.assemble(("$ ", "dim"), (COMMAND, "bold")))
    for line in AnsiDecoder().decode("\n".join(screen(written.rstrip()))):
        console.print(line, no_wrap=True)
    picture = _FROM_ELSEWHERE.sub("", console.export_svg(title=COMMAND, unique_id="demo"))
    return picture.replace("Fira Code, monospace", "ui-monospace, Menlo, Consolas, monospace")


if __name__ == "__main__":
    main()
