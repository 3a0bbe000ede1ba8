"""`tapewatch silence …`; like all of the command line, it imports what it runs only when it runs."""

import getpass
import re
from typing import Annotated

import typer

from cli.options import Kafka, settings_from
from services.common.config.settings import Settings
from services.contracts.alert import Matcher
from services.contracts.anomaly import Severity

commands = typer.Typer(
    help="Hold back alerts for some time; a silence ends by itself.",
    no_args_is_help=True,
)

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_MOST_S = 365 * 86_400

Author = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Who says so; default: your login name.", show_default=False),
]


def _settings(kafka: str | None) -> Settings:
    from services.common.process.logs import configure_logs

    configure_logs("silence")
    return settings_from(Settings, kafka)


def _author(author: str | None) -> str:
    if author is not None:
        return author
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # in a container, users may have no names
        raise typer.BadParameter("your login name is not known; give one", param_hint="--author") from None


def seconds_of(text: str) -> float:
    """Return how many seconds a time such as `1h30m` has; raises `typer.BadParameter` if it is none."""
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd])", text)
    seconds = sum(float(number) * _UNITS_S[unit] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != text or not 0 < seconds <= _MOST_S:
        raise typer.BadParameter("write it as 90s, 30m, 2h, 1h30m or 7d, up to 365d", param_hint="--for")
    return seconds


@commands.command()
def add(
    lasts: Annotated[str, typer.Option("--for", metavar="TIME", help="How long: 30m, 2h, 7d.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; recorded with what it holds back.")],
    symbols: Annotated[
        list[str] | None, typer.Option(metavar="A,B", help="Symbols, or patterns: NVDA, 'BTC-*'.")
    ] = None,
    labels: Annotated[
        list[str] | None, typer.Option(metavar="A,B", help="Labels of anomalies: 'Off-Market Price'.")
    ] = None,
    rules: Annotated[list[str] | None, typer.Option(metavar="A,B", help="Rules of the alerter.")] = None,
    channels: Annotated[list[str] | None, typer.Option(metavar="A,B", help="Only on these channels.")] = None,
    below: Annotated[
        Severity | None, typer.Option(help="Only alerts that are less urgent than that.")
    ] = None,
    author: Author = None,
    kafka: Kafka = None,
) -> None:
    """Hold back, from now on, alerts that fit everything that is given, and print the silence's id.

    They are recorded as silenced and are not sent later. What is being sent
    right now is not stopped.
    """
    from services.alerter.sending.silence_commands import run_add
    from services.alerter.silencing.words import names_of

    matcher = Matcher(names_of(symbols), names_of(labels), names_of(rules), names_of(channels), below)
    raise typer.Exit(run_add(_settings(kafka), matcher, seconds_of(lasts), reason, _author(author)))


@commands.command("list")
def list_(
    everything: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    kafka: Kafka = None,
) -> None:
    """List the silences in force, with how many revisions of alerts each has held back."""
    from services.alerter.sending.silence_commands import run_list

    raise typer.Exit(run_list(_settings(kafka), with_expired=everything))


@commands.command()
def expire(
    silence_id: Annotated[str, typer.Argument(metavar="ID", help="As `list` shows it.")],
    author: Author = None,
    kafka: Kafka = None,
) -> None:
    """End a silence now; what it has held back stays unsent."""
    from services.alerter.sending.silence_commands import run_expire

    raise typer.Exit(run_expire(_settings(kafka), silence_id, _author(author)))
