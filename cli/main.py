"""The command line: `tapewatch COMMAND`. Each command imports its part only when it runs."""

import sys

import typer
from rich.console import Console
from rich.text import Text

from cli import (
    alerts,
    dead_letters,
    environment,
    feeds,
    generated,
    models,
    offline,
    pipeline,
    screens,
    silences,
    training,
)
from services.common.errors import TapewatchError

app = typer.Typer(
    name="tapewatch",
    help="Watch a trade tape: anomalies found, explained and searchable within seconds.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for group in (pipeline, alerts, feeds, environment, offline, generated, training, screens):
    app.add_typer(group.commands)
app.add_typer(dead_letters.commands, name="dead-letters")
app.add_typer(models.commands, name="models")
app.add_typer(silences.commands, name="silence")


def main() -> None:
    """Run the command line; an expected failure is shown as cause and hint, with exit code 1."""
    try:
        sys.exit(app(standalone_mode=True))
    except TapewatchError as error:
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        console.print(Text.assemble(("Error: ", "bold red"), error.cause))
        console.print(Text.assemble(("Fix:   ", "bold"), error.hint))
        sys.exit(1)


if __name__ == "__main__":
    main()
