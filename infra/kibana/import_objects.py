"""Imports `tapewatch.ndjson` into Kibana, unless it was imported before."""

import base64
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import urllib3
from urllib3.exceptions import HTTPError
from urllib3.util import Timeout

from services.common.errors import TapewatchError
from services.common.process.readiness import wait_for_server
from services.common.process.shutdown import Stop

FILE = Path(__file__).with_name("tapewatch.ndjson")

TIMEOUT_S = 60.0
STATUS_TIMEOUT_S = 5.0
_PAGE = 1000
_KINDS = {"index-pattern": "data view", "search": "search", "lens": "chart", "dashboard": "dashboard"}

Key = tuple[str, str]
"""Type and id, which identify a saved object."""

Login = tuple[str, str]
"""User and password."""


def wait_for_kibana(kibana_url: str, login: Login | None, stop: Stop) -> bool:
    """Wait until Kibana is ready.

    Parameters
    ----------
    kibana_url
        `http://host:port`, with a base path (of a space or a proxy) if needed.
    login
        User and password; None if Kibana requires no login.
    stop
        Ends the wait.

    Returns
    -------
    bool
        False if a stop was requested first.

    Raises
    ------
    TapewatchError
        If something other than Kibana answers, or Kibana rejects the user.
    """
    kibana = _Kibana(kibana_url, login)
    return wait_for_server(kibana.check_ready, (HTTPError, _NotReadyError), f"Kibana at {kibana.url}", stop)


def import_objects(kibana_url: str, login: Login | None = None) -> list[str]:
    """Import the objects unless this version of them was imported before; return one line for each change.

    Changes that users made to an object are kept until the file's content changes.

    Parameters
    ----------
    kibana_url, login
        See `wait_for_kibana`.

    Raises
    ------
    TapewatchError
        If Kibana does not answer, or rejects the import.
    """
    objects = [json.loads(line) for line in FILE.read_text().splitlines()]
    version = _version(objects)
    kibana = _Kibana(kibana_url, login)
    try:
        descriptions = kibana.find({one["type"] for one in objects})
        if all(_key(one) in descriptions for one in objects) and all(
            version in descriptions[_key(one)] for one in objects if _bears_version(one)
        ):
            return []
        for one in filter(_bears_version, objects):
            one["attributes"]["description"] += f" ({version})"
        kibana.put(objects)
    except (HTTPError, _NotReadyError) as error:
        raise TapewatchError(
            f"Kibana at {kibana.url} does not answer: {error}.",
            "Check its log, then run `tapewatch setup` again.",
        ) from error
    return [
        f"{'changed' if _key(one) in descriptions else 'created'} in Kibana: "
        f"{_KINDS[one['type']]} {one['attributes'].get('name', one['attributes']['title'])}"
        for one in objects
    ]


class _NotReadyError(Exception):
    """Kibana is starting, or has lost Elasticsearch."""


class _Kibana:
    """A minimal client for Kibana's API; its methods raise urllib3's HTTPError if Kibana does not answer.

    Parameters
    ----------
    url
        Kibana's URL, without user and password, and without a trailing slash.
    login
        User and password; None if Kibana requires no login.
    """

    def __init__(self, url: str, login: Login | None) -> None:
        self.url = url
        self._headers = {"kbn-xsrf": "tapewatch"}
        if login is not None:
            token = base64.b64encode(":".join(login).encode()).decode()
            self._headers["authorization"] = f"Basic {token}"
        self._pool = urllib3.PoolManager(retries=False)

    def check_ready(self) -> None:
        """Raise `_NotReadyError` until it is."""
        self._ask("GET", "/api/status", STATUS_TIMEOUT_S)

    def find(self, types: set[str]) -> dict[Key, str]:
        """Return the descriptions of all objects of some types, "" if an object has none."""
        found: dict[Key, str] = {}
        page = 0
        while True:
            page += 1
            answer = self._ask(
                "GET",
                "/api/saved_objects/_find",
                fields=[
                    *(("type", one) for one in sorted(types)),
                    ("fields", "title"),
                    ("fields", "description"),
                    ("per_page", str(_PAGE)),
                    ("page", str(page)),
                ],
            )
            found |= {_key(one): one["attributes"].get("description", "") for one in answer["saved_objects"]}
            if page * _PAGE >= answer["total"]:
                return found

    def put(self, objects: list[dict[str, Any]]) -> None:
        """Import objects over those of the same type and id."""
        lines = "".join(json.dumps(one) + "\n" for one in objects)
        answer = self._ask(
            "POST",
            "/api/saved_objects/_import?overwrite=true",
            fields={"file": (FILE.name, lines, "application/x-ndjson")},
        )
        if not answer["success"]:
            rejected = "; ".join(
                f"{one['type']} {one['id']}: {one['error']['type']}" for one in answer.get("errors", [])
            )
            raise TapewatchError(
                f"Kibana at {self.url} did not import everything: {rejected or answer}.",
                "Tapewatch's objects need Kibana 8.12 or newer.",
            )

    def _ask(
        self,
        method: str,
        path: str,
        timeout_s: float = TIMEOUT_S,
        **arguments: Any,
    ) -> Mapping[str, Any]:
        answer = self._pool.request(
            method,
            self.url + path,
            headers=self._headers,
            timeout=Timeout(timeout_s),
            redirect=False,
            **arguments,
        )
        if answer.status == 503:
            raise _NotReadyError("it is not ready yet")
        if answer.status in (401, 403):
            raise TapewatchError(
                f"Kibana at {self.url} rejects the user ({answer.status}).",
                "Set TAPEWATCH_KIBANA_USER and TAPEWATCH_KIBANA_PASSWORD_FILE to a user that may manage "
                "saved objects.",
            )
        try:
            content = answer.json() if answer.status == 200 else None
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise TapewatchError(
                f"Kibana at {self.url} rejected {path.partition('?')[0]} "
                f"({answer.status}): {answer.data[:200].decode(errors='replace')}",
                "Check that it is Kibana 8.12 or newer, and that the URL has its base path if it has one.",
            )
        return content


def _version(objects: list[dict[str, Any]]) -> str:
    text = json.dumps(objects, sort_keys=True)
    return f"objects {hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _bears_version(one: dict[str, Any]) -> bool:
    """Whether an object's description states the imported version; those of dashboards do."""
    return bool(one["type"] == "dashboard")


def _key(one: Mapping[str, Any]) -> Key:
    return one["type"], one["id"]
