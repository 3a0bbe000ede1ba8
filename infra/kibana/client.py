"""A minimal client for Kibana's API of saved objects."""

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any

import urllib3
from urllib3.exceptions import HTTPError
from urllib3.util import Timeout

from infra.kibana.objects.saved_object import SavedObject
from services.common.errors import TapewatchError

TIMEOUT_S = 60.0
STATUS_TIMEOUT_S = 5.0
_PAGE = 1000

Key = tuple[str, str]
"""Type and id, which identify a saved object."""

Login = tuple[str, str]
"""User and password."""


class NotReadyError(Exception):
    """Kibana is starting, or has lost Elasticsearch."""


NO_ANSWER = (HTTPError, NotReadyError)


class Kibana:
    """Kibana's API; its methods raise one of `NO_ANSWER` if Kibana does not answer.

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
        """Raise `NotReadyError` until it is."""
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
            found |= {
                key_of(one): one["attributes"].get("description", "") for one in answer["saved_objects"]
            }
            if page * _PAGE >= answer["total"]:
                return found

    def export(self, keys: Iterable[Key]) -> list[SavedObject]:
        """Return objects, each of which must exist, as people have left them."""
        request = {
            "objects": [{"type": kind, "id": object_id} for kind, object_id in keys],
            "excludeExportDetails": True,
        }
        lines = self._request("POST", "/api/saved_objects/_export", json=request).decode().splitlines()
        return [json.loads(line) for line in lines if line]

    def put(self, objects: Iterable[SavedObject]) -> None:
        """Import objects over those of the same type and id."""
        lines = "".join(json.dumps(one) + "\n" for one in objects)
        answer = self._ask(
            "POST",
            "/api/saved_objects/_import?overwrite=true",
            fields={"file": ("tapewatch.ndjson", lines, "application/x-ndjson")},
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
        self, method: str, path: str, timeout_s: float = TIMEOUT_S, **arguments: Any
    ) -> Mapping[str, Any]:
        content = self._request(method, path, timeout_s, **arguments)
        try:
            answer = json.loads(content)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise self._rejection(path, 200, content)
        return answer

    def _request(self, method: str, path: str, timeout_s: float = TIMEOUT_S, **arguments: Any) -> bytes:
        answer = self._pool.request(
            method,
            self.url + path,
            headers=self._headers,
            timeout=Timeout(timeout_s),
            redirect=False,
            **arguments,
        )
        if answer.status == 503:
            raise NotReadyError("it is not ready yet")
        if answer.status in (401, 403):
            raise TapewatchError(
                f"Kibana at {self.url} rejects the user ({answer.status}).",
                "Set TAPEWATCH_KIBANA_USER and TAPEWATCH_KIBANA_PASSWORD_FILE to a user that may manage "
                "saved objects.",
            )
        if answer.status != 200:
            raise self._rejection(path, answer.status, answer.data)
        return answer.data

    def _rejection(self, path: str, status: int, content: bytes) -> TapewatchError:
        return TapewatchError(
            f"Kibana at {self.url} rejected {path.partition('?')[0]} "
            f"({status}): {content[:200].decode(errors='replace')}",
            "Check that it is Kibana 8.12 or newer, and that the URL has its base path if it has one.",
        )


def key_of(one: Mapping[str, Any]) -> Key:
    """Return type and id of an object."""
    return one["type"], one["id"]
