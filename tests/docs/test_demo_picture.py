"""The picture of the demo shows what a terminal does."""

from io import StringIO

from rich.console import Console
from rich.live import Live

from tests.docs.demo_picture import drawn, screen


def write(console: Console) -> None:
    console.print("before")
    with Live(console=console, auto_refresh=False) as live:
        for number in range(3):
            live.update("\n".join(f"row {row} of {number}" for row in range(number, 3)), refresh=True)
    console.print("[bold]after[/]")


def written() -> str:
    console = Console(width=60, height=40, file=StringIO(), force_terminal=True, highlight=False)
    write(console)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_of_what_is_drawn_again_the_last_state_stays() -> None:
    shown = screen(written())
    assert shown[0] == "before"
    assert [line for line in shown if "row" in line] == ["row 2 of 2"]
    assert shown.index("row 2 of 2") < next(at for at, line in enumerate(shown) if "after" in line)


def test_the_picture_loads_nothing_from_elsewhere() -> None:
    picture = drawn(written())
    assert "row&#160;2&#160;of&#160;2" in picture
    assert "url(http" not in picture
    assert 'url("http' not in picture
