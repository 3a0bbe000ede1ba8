"""What there is to choose from on a page: the last minutes, the sessions, and the days that are set aside."""

from dataclasses import dataclass
from functools import partial

from dashboard.server.answers import Noted
from dashboard.server.elastic import together
from dashboard.server.last_minutes import last_minutes
from dashboard.server.sessions import SetAside, find_sessions, find_set_aside
from dashboard.ui.time_ranges import Period, Rolling, periods
from services.common.elastic.client import Elasticsearch


@dataclass(frozen=True)
class Offered:
    """Periods to choose from."""

    choices: list[Period | Rolling]
    """In the order in which they are listed."""
    newest: Period
    """The newest session."""
    aside: list[SetAside]
    """Days that are no sessions; each is among the choices."""


def find_offered(client: Elasticsearch, noted: Noted) -> Offered | None:
    """Return what there is to choose from; None without trades.

    Parameters
    ----------
    client
        Elasticsearch client.
    noted
        As `last_minutes` takes it.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects a request.
    """
    sessions, latest = together(partial(find_sessions, client), partial(last_minutes, client, noted))
    if not sessions:
        return None
    aside = find_set_aside(client)
    newest, *others = periods(sessions)
    set_aside = (Period(one.day, one.day) for one in aside)
    return Offered([*latest, newest, *others, *set_aside], newest, aside)
