"""`tapewatch models`: trained models by name, digest and alias."""

from pathlib import Path
from typing import Annotated

import typer

from services.detector.models.manifest import Alias

commands = typer.Typer(help="List, show, check and promote trained models.", no_args_is_help=True)

Reference = Annotated[
    str, typer.Argument(metavar="MODEL", help="NAME@ALIAS, or NAME@DIGEST of which 8 digits suffice.")
]
ModelsFolder = Annotated[
    Path | None,
    typer.Option(
        "--models",
        metavar="DIR",
        help="Folder of the models; default: TAPEWATCH_MODELS, or models.",
        show_default=False,
    ),
]


def models_folder(given: Path | None) -> Path:
    """Return the folder of the models, from a flag or the environment."""
    from services.detector.models.settings import ModelSettings

    return given if given is not None else ModelSettings().models


@commands.command("list")
def list_models(models: ModelsFolder = None) -> None:
    """List all models, the newest of each name first."""
    from services.detector.offline.models.run import run_list

    raise typer.Exit(run_list(models_folder(models)))


@commands.command()
def show(
    model: Reference,
    as_json: Annotated[bool, typer.Option("--json", help="Its manifest, as JSON.")] = False,
    models: ModelsFolder = None,
) -> None:
    """Show a model's card: purpose, data, figures, limits, and how to make it again."""
    from services.detector.offline.models.run import run_show

    raise typer.Exit(run_show(models_folder(models), model, as_json))


@commands.command()
def promote(
    model: Reference,
    alias: Annotated[Alias, typer.Option("--as", help="The alias that stands for it from now on.")],
    models: ModelsFolder = None,
) -> None:
    """Verify a model, and let an alias stand for it."""
    from services.detector.offline.models.run import run_promote

    raise typer.Exit(run_promote(models_folder(models), model, alias))


@commands.command()
def verify(
    model: Annotated[
        str | None, typer.Argument(metavar="[MODEL]", help="NAME@ALIAS or NAME@DIGEST; by default all.")
    ] = None,
    models: ModelsFolder = None,
) -> None:
    """Check that models are as they were when they were trained: content, features and scores, to the bit."""
    from services.detector.offline.models.run import run_verify

    raise typer.Exit(run_verify(models_folder(models), model))
