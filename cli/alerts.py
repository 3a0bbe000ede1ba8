"""`tapewatch alert`: anomalies told to people, or what past days would have told."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import Kafka, ProfileName, UntilIdle, settings_from

if TYPE_CHECKING:
    from services.alerter.seen import Seen

commands = typer.Typer()


@commands.command()
def alert(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILE]", help="For --dry-run: trades, or what a backtest has written; globs."
        ),
    ] = None,
    rules: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Which anomalies are told, and to whom; by default all from medium on, here."
        ),
    ] = None,
    send_old: Annotated[
        bool, typer.Option("--send-old", help="Send alerts of trades that are older than 15 minutes, too.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only print what the days in the files would have sent; no broker."),
    ] = False,
    profile: ProfileName = None,
    until_idle: UntilIdle = None,
    kafka: Kafka = None,
) -> None:
    """Group anomalies into alerts and send them to people."""
    if dry_run:
        if not files:
            raise typer.BadParameter("give files for --dry-run", param_hint="FILE")
        for flag, is_given in (
            ("--send-old", send_old),
            ("--until-idle", until_idle is not None),
            ("--kafka", kafka is not None),
        ):
            if is_given:
                raise typer.BadParameter("has no meaning in a --dry-run", param_hint=flag)
        raise typer.Exit(_dry_run(files, rules, profile))
    for flag, is_given in (("FILE", bool(files)), ("--profile", profile is not None)):
        if is_given:
            raise typer.BadParameter("is for --dry-run", param_hint=flag)
    from services.alerter.channels.registry import open_channel
    from services.alerter.live.service import run_alert
    from services.alerter.live.settings import AlerterSettings
    from services.alerter.rules.reading import load_rules
    from services.common.process.logs import configure_logs

    configure_logs("alerter")
    settings = settings_from(AlerterSettings, kafka)
    raise typer.Exit(run_alert(settings, load_rules(rules, open_channel), send_old, until_idle))


def _dry_run(files: list[str], rules_name: str | None, profile: str | None) -> int:
    from rich.console import Console

    from services.alerter.offline.dry_run import dry_run
    from services.alerter.offline.report import terminal_report
    from services.alerter.offline.rules import rules_to_try

    run = dry_run(_anomalies(files, profile), rules_to_try(rules_name))
    Console(highlight=False).print(terminal_report(run))
    return 0


def _anomalies(names: list[str], profile: str | None) -> "Iterator[Seen]":
    """Yield the anomalies of files: those that hold some, and those found in trades."""
    from services.alerter.offline.anomaly_files import is_of_anomalies, read_anomalies
    from services.sources.files import expand_names, open_sources

    paths = expand_names(names)
    trades = [path for path in paths if not is_of_anomalies(path)]
    for path in paths:
        if path not in trades:
            yield from read_anomalies(path)
    if not trades:
        if profile is not None:
            raise typer.BadParameter("is for files of trades", param_hint="--profile")
        return
    from services.alerter.offline.dry_run import read_published
    from services.detector.offline.backtest.every_revision import every_revision

    for value, brought_ns in every_revision(open_sources([str(path) for path in trades]), profile):
        yield read_published(value, brought_ns)
