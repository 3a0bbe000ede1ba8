"""`tapewatch train`: models from past days."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.models import ModelsFolder, models_folder
from cli.offline import client_of, sources_of
from cli.options import (
    ElasticsearchUrl,
    FilesOrRange,
    From,
    MapSpec,
    OfSymbol,
    Prices,
    ProfileName,
    Symbology,
    To,
)
from services.detector.offline.training.kinds.registry import TrainableKind

commands = typer.Typer()

DEFAULT_LABELS = ["injected"]
DEFAULT_MODELS = [TrainableKind.XGBOOST]


@commands.command()
def train(
    files: FilesOrRange = None,
    map_spec: MapSpec = None,
    symbology: Symbology = None,
    model: Annotated[
        list[TrainableKind] | None,
        typer.Option(
            "--model", help="The kind of model; several in a report.", show_default=DEFAULT_MODELS[0]
        ),
    ] = None,
    name: Annotated[str, typer.Option(metavar="NAME", help="The model's name.")] = "trades",
    labels: Annotated[
        list[str] | None,
        typer.Option(
            "--labels",
            metavar="ORIGIN|FILE[=WEIGHT]",
            help="injected, verdicts, cancels, or a CSV file with trade_id; several, each apart.",
            show_default="injected",
        ),
    ] = None,
    profile: ProfileName = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed and data give the same model.")] = 1,
    true_rate: Annotated[
        float,
        typer.Option(
            min=1e-7, max=0.5, help="Anomalies per real trade, which probabilities are corrected for."
        ),
    ] = 0.0001,
    test_days: Annotated[int, typer.Option(min=1, help="So many of the last sessions test the model.")] = 2,
    report: Annotated[
        bool, typer.Option("--report", help="Store no model: measure what models are worth, into --output.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="PAGE.md", help="The page of --report.")
    ] = None,
    models: ModelsFolder = None,
    start: From = None,
    end: To = None,
    symbol: OfSymbol = None,
    elasticsearch: ElasticsearchUrl = None,
    prices: Prices = None,
) -> None:
    """Train a model on the features of past sessions, forward in time, and store it under its digest."""
    from services.detector.offline.training.labels.registry import read_choices
    from services.detector.offline.training.run import TrainingPlan, run_report, run_train

    if report != (output is not None):
        raise typer.BadParameter("give both or neither", param_hint="--report, --output")
    choices = read_choices(labels or DEFAULT_LABELS)
    if report and [choice.name for choice in choices] != DEFAULT_LABELS:
        raise typer.BadParameter("a report is of injected labels", param_hint="--labels")
    kinds = list(dict.fromkeys(model or DEFAULT_MODELS))
    if not report and len(kinds) > 1:
        raise typer.BadParameter("only a report is of several", param_hint="--model")
    sources = sources_of(files, map_spec, symbology, start, end, symbol, elasticsearch, prices)
    if output is not None:
        # Where the files are is of no use to a reader of the page.
        given = [Path(word).name if word in (files or ()) else word for word in sys.argv[1:]]
        command = f"tapewatch {shlex.join(given)}"
        raise typer.Exit(run_report(sources, kinds, profile, seed, output, command))
    plan = TrainingPlan(kinds[0], name, choices, profile, seed, true_rate, test_days)
    client = client_of(elasticsearch) if any(choice.needs_index for choice in choices) else None
    raise typer.Exit(run_train(sources, plan, models_folder(models), client))
