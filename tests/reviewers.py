"""Simulated reviewers: verdicts on the indexed anomalies of generated days, by the days' label files.

`python -m tests.reviewers LABELS.csv…` records them as the dashboard records those of people: confirmed where
the generator put an anomaly, a false alarm elsewhere, and a few mistaken, by a fixed seed.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random

import polars as pl

from services.common.config.settings import Settings
from services.common.elastic.client import Elasticsearch, new_client
from services.common.elastic.paging import read_pages
from services.common.errors import TapewatchError
from services.contracts.indices import ANOMALIES_INDICES
from services.review.verdicts import Decision, record

NAME = "simulated reviewer"
COMMENT = "Simulated, from the labels of a generated day."
MISTAKEN_SHARE = 0.05
SEED = 1


def review(client: Elasticsearch, labels: Sequence[Path]) -> dict[str, Decision]:
    """Give a verdict on each indexed anomaly of generated days, and return them by `trade_id`.

    Parameters
    ----------
    client
        Client of the cluster.
    labels
        What `tapewatch generate --labels` wrote of the days.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    truth = pl.concat([pl.read_csv(path, columns=["trade_id", "ts_event"]) for path in labels])
    times = truth["ts_event"].str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_zone="UTC")
    sessions = times.dt.convert_time_zone("America/New_York").dt.strftime("%Y-%m-%d").unique().to_list()
    injected = set(truth["trade_id"])
    client.indices.refresh(index=ANOMALIES_INDICES)
    pages = read_pages(client, ANOMALIES_INDICES, {"terms": {"session": sessions}}, [], sys.maxsize)
    anomalies = sorted((hit["_source"] for hits in pages for hit in hits), key=lambda one: one["trade_id"])
    random = Random(SEED)  # noqa: S311 - the same mistakes every time
    verdicts = {}
    for anomaly in anomalies:
        is_confirmed = (anomaly["trade_id"] in injected) != (random.random() < MISTAKEN_SHARE)
        verdict = Decision.CONFIRMED if is_confirmed else Decision.FALSE_ALARM
        record(client, anomaly, verdict, COMMENT, NAME)
        verdicts[anomaly["trade_id"]] = verdict
    return verdicts


def main() -> int:
    """Review the days of the label files that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("labels", nargs="+", type=Path, metavar="LABELS.csv")
    given = parser.parse_args()
    try:
        with new_client(Settings().elasticsearch) as client:
            verdicts = list(review(client, given.labels).values())
    except TapewatchError as error:
        print(f"{error.cause} {error.hint}", file=sys.stderr)
        return 1
    told = ", ".join(f"{verdicts.count(one)} {one}" for one in Decision)
    print(f"{len(verdicts)} verdicts of a {NAME}: {told}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
