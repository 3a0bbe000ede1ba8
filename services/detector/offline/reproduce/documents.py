"""What is known of a print: its anomaly's document, and the profile that this was made with."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import orjson

from services.common.elastic.client import Elasticsearch
from services.common.elastic.errors import explain_errors
from services.common.errors import TapewatchError
from services.contracts.anomaly import Anomaly
from services.contracts.indices import ANOMALIES_INDICES, MAX_ID_BYTES, PROFILES_INDEX, TRADES_INDICES
from services.detector.profiles.profile import Profile, built_in_profile, load_profile

Document = dict[str, Any]


@dataclass(frozen=True)
class FoundProfile:
    """A profile, and where it is from, in words."""

    profile: Profile
    origin: str


def indexed_trade(client: Elasticsearch, trade_id: str) -> Document | None:
    """Return a trade as it is indexed; None if none has this id.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    return _one(client, TRADES_INDICES, {"trade_id": trade_id})


def indexed_anomaly(client: Elasticsearch, trade_id: str) -> Document | None:
    """Return an anomaly as it is indexed; None if none has this id.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    return _one(client, ANOMALIES_INDICES, {"trade_id": trade_id})


def anomaly_in(path: Path, trade_id: str) -> Document | None:
    """Return an anomaly from a file of JSON lines, as `backtest --output` writes it; None if it is not there.

    Raises
    ------
    TapewatchError
        The file cannot be read, or has a line that is no JSON.
    """
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                # Only lines that may have it are parsed.
                if (
                    trade_id.encode() in line
                    and (found := _parsed(path, number, line))["trade_id"] == trade_id
                ):
                    return found
    except OSError as error:
        raise TapewatchError(
            f"{path} cannot be read: {error.strerror or error}.", "Give a file of `backtest --output`."
        ) from error
    return None


def to_anomaly(document: Document) -> Anomaly:
    """Return what a document says of its trade.

    Raises
    ------
    TapewatchError
        It is no anomaly's document.
    """
    try:
        return msgspec.convert(document, Anomaly, strict=True)
    except msgspec.ValidationError as error:
        raise TapewatchError(
            f"The document of this anomaly is not one that this version of Tapewatch writes: {error}.",
            "Use the version that it names in model.version.",
        ) from error


def find_profile(client: Elasticsearch | None, wanted: str | None, given: str | None) -> FoundProfile:
    """Return the profile to judge with.

    Parameters
    ----------
    client
        Client of the cluster whose index `profiles` is asked; None for none.
    wanted
        The hash that the anomaly names; None where nothing names one.
    given
        The name or file that a person gives; None for none.

    Raises
    ------
    TapewatchError
        No profile with that hash is known, or Elasticsearch does not answer.
    """
    if given is not None:
        return FoundProfile(load_profile(given), f"given: {given}")
    if wanted is None:
        return FoundProfile(load_profile(), "the default")
    built_in = built_in_profile(wanted)
    if built_in is not None:
        return FoundProfile(built_in, f"built in: {built_in.name}")
    stored = None if client is None else stored_profile(client, wanted)
    if stored is None:
        looked = "it is no built-in one" + ("" if client is None else f", nor in the index {PROFILES_INDEX}")
        raise TapewatchError(
            f"The profile {wanted} of this anomaly is not known: {looked}.", "Give its file: --profile FILE"
        )
    return FoundProfile(stored, f"stored when its detector started: {stored.name}")


def stored_profile(client: Elasticsearch, profile_hash: str) -> Profile | None:
    """Return a profile that a detector has worked with; None if none of this hash is stored.

    Raises
    ------
    TapewatchError
        It names files that only the detector's machine has, this version reads it otherwise, or
        Elasticsearch does not answer.
    """
    found = _one(client, PROFILES_INDEX, {"profile": profile_hash})
    return None if found is None else read_profile(found)


def read_profile(record: Document) -> Profile:
    """Return the profile of a document of the index `profiles`; see `stored_profile`."""
    what = (
        f"The stored profile {record['profile']} ({record['name']}), written by Tapewatch "
        f"{record['version']},"
    )
    try:
        profile = Profile.model_validate(orjson.loads(record["text"]))
    except ValueError as error:
        raise TapewatchError(
            f"{what} cannot be used here: {error}.", "Give its file: --profile FILE"
        ) from error
    if profile.hash != record["profile"]:
        raise TapewatchError(f"{what} means something else in this version.", "Use that version.")
    return profile


def profile_around(client: Elasticsearch, trade: Mapping[str, Any]) -> str | None:
    """Return the hash that the anomalies of a print's symbol nearest to it name; None without any.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    with explain_errors(client):
        answer = client.search(
            index=ANOMALIES_INDICES,
            query={
                "bool": {
                    "filter": [{"term": {"symbol": trade["symbol"]}}],
                    "should": [{"distance_feature": _near(trade["@timestamp"])}],
                }
            },
            size=1,
            source_includes=("model",),
            track_total_hits=False,
            ignore_unavailable=True,
        )
    hits = answer["hits"]["hits"]
    return hits[0]["_source"]["model"]["profile"] if hits else None


def _near(time: str) -> dict[str, str]:
    return {"field": "@timestamp", "origin": time, "pivot": "1h"}


def _one(client: Elasticsearch, index: str, terms: Mapping[str, str]) -> Document | None:
    """Return the newest document with these terms."""
    if any(not 0 < len(value) <= MAX_ID_BYTES for value in terms.values()):
        return None
    with explain_errors(client):
        answer = client.search(
            index=index,
            query={"bool": {"filter": [{"term": {name: value}} for name, value in terms.items()]}},
            sort=[{"@timestamp": {"order": "desc", "unmapped_type": "date"}}],
            size=1,
            track_total_hits=False,
            ignore_unavailable=True,
        )
    hits = answer["hits"]["hits"]
    return hits[0]["_source"] if hits else None


def _parsed(path: Path, number: int, line: bytes) -> Document:
    try:
        found = orjson.loads(line)
        found["trade_id"]
    except (ValueError, TypeError, KeyError) as error:
        raise TapewatchError(
            f"{path}, line {number} is no anomaly.", "Give a file of `backtest --output`."
        ) from error
    return dict(found)
