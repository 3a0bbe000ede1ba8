"""`tapewatch dead-letters …`; like all of the command line, it imports what it runs only when it runs."""

from typing import Annotated

import typer

from cli.options import Kafka, settings_from
from services.common.config.settings import Settings

commands = typer.Typer(
    help="Inspect messages that a service could not use, and put them back once the cause is fixed.",
    no_args_is_help=True,
)


def _settings(kafka: str | None) -> Settings:
    from services.common.process.logs import configure_logs

    configure_logs("dead-letters")
    return settings_from(Settings, kafka)


@commands.command("list")
def list_(
    service: Annotated[str | None, typer.Option(metavar="S", help="Only what this service rejected.")] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="Show the newest N.")] = 50,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line, with everything but the value.")
    ] = False,
    kafka: Kafka = None,
) -> None:
    """List the newest letters, the newest last, and count all by service and error.

    A letter is `new`; `replayed` once it was put back; and `replayed, failed
    again` if what was put back was rejected too: then a newer letter says
    whose replay it is.
    """
    from services.dead_letters.listing import run_list

    raise typer.Exit(run_list(_settings(kafka), service, limit, as_json))


@commands.command()
def show(
    ids: Annotated[list[str], typer.Argument(metavar="ID…", help="Ids of letters, as `list` shows them.")],
    raw: Annotated[
        bool, typer.Option("--raw", help="Write the exact bytes of one letter, for a pipe or a file.")
    ] = False,
    kafka: Kafka = None,
) -> None:
    """Show everything of letters: headers, when they were replayed, and the value.

    JSON is indented, control characters are made visible, and a value that
    is not text is dumped in hex.
    """
    from services.dead_letters.show import run_show

    if raw and len(ids) > 1:
        raise typer.BadParameter("takes one letter", param_hint="--raw")
    raise typer.Exit(run_show(_settings(kafka), ids, raw))


@commands.command()
def replay(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID…]", help="Ids of letters, as `list` shows them.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All letters that exist now and were not replayed yet.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    kafka: Kafka = None,
) -> None:
    """Put messages back into the topic that they came from, as they were.

    Fix the cause first: a message that is rejected again becomes a new
    letter. `--all` skips such letters, and those that were already
    replayed; a letter whose id is given is replayed in any case. Rows of
    files are not messages: fix the file and publish it again. A trade that comes late for
    its session is indexed, but not scored.

    What was replayed is recorded in the topic `dead-letter-replays`, in the same
    transaction as the message: an interrupted replay can simply be run again.
    """
    from services.dead_letters.replay import run_replay

    if bool(ids) == everything:
        raise typer.BadParameter("give ids, or --all", param_hint="ID")
    raise typer.Exit(run_replay(_settings(kafka), ids or [], dry_run))
