"""The last minutes of the tape, which move on."""

import datetime as dt

from dashboard.server.answers import Noted
from dashboard.server.tape_end import newest_trade
from dashboard.ui.time_ranges import Rolling, rolling
from services.common.elastic.client import Elasticsearch


def last_minutes(client: Elasticsearch, noted: Noted) -> list[Rolling]:
    """Return the ranges that move on; none without trades.

    Parameters
    ----------
    client
        Elasticsearch client.
    noted
        What became of the page's requests: while Elasticsearch is away, the last minutes stay those whose
        answers are kept.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    newest = newest_trade(client)
    return rolling(newest, noted.as_of or dt.datetime.now(dt.UTC)) if newest else []
