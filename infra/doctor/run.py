"""`tapewatch doctor`: checks the environment, and says what is wrong and how to fix it."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from infra.doctor.checks import (
    Diagnosis,
    check_broker,
    check_disk,
    check_elasticsearch,
    check_python,
    check_sizes,
    check_templates,
)
from infra.doctor.feeds import check_feed
from infra.doctor.selftest import check_selftest
from services.common.config.settings import Settings
from services.common.elastic.client import new_client
from services.common.errors import TapewatchError
from services.common.extras import load_with_extra
from services.common.kafka.connection import kafka_connection
from services.common.postgres.settings import PostgresSettings


def run_doctor(settings: Settings) -> int:
    """Run every check and show what it found.

    Returns
    -------
    int
        Exit code: 0 when all is well, 1 otherwise.
    """
    kafka = kafka_connection(settings)
    with new_client(settings.elasticsearch, settings=settings) as client:
        diagnoses = [
            check_python(),
            check_disk(),
            *check_broker(kafka),
            check_elasticsearch(client, settings.elasticsearch),
            check_templates(client),
            check_sizes(client),
            *_postgres(PostgresSettings()),
            check_selftest(),
        ]
    return _show(diagnoses)


def _postgres(settings: PostgresSettings) -> list[Diagnosis]:
    """Check Postgres, if anything is set about it."""
    if not settings.model_fields_set:
        return []
    try:
        check = load_with_extra(
            "infra.doctor.postgres:check_postgres", "The check of Postgres needs", extra="postgres"
        )
    except TapewatchError as error:
        return [Diagnosis("Postgres", error.cause, error.hint)]
    return [check(settings)]


def run_feed_doctor(name: str, url: str | None, rest_url: str | None) -> int:
    """Check a venue alone; the arguments are those of `check_feed`, the result is `run_doctor`'s."""
    return _show([check_feed(name, url, rest_url)])


def _show(diagnoses: Sequence[Diagnosis]) -> int:
    Console(highlight=False).print(diagnoses_table(diagnoses))
    return int(any(diagnosis.hint for diagnosis in diagnoses))


def diagnoses_table(diagnoses: Iterable[Diagnosis]) -> Table:
    """Lay diagnoses out, one a row."""
    table = Table(box=None, show_header=False, padding=(0, 2))
    for diagnosis in diagnoses:
        mark = Text("wrong", style="bold red") if diagnosis.hint else Text("ok", style="green")
        text = Text(diagnosis.finding)
        if diagnosis.hint:
            text.append(f"\n{diagnosis.hint}", style="yellow")
        table.add_row(mark, Text(diagnosis.subject, style="bold"), text)
    return table
