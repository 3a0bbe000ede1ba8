"""Brings Kibana's objects into Kibana: what is missing, and never over what a person changed."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from infra.kibana.client import NO_ANSWER, Key, Kibana, Login, key_of
from infra.kibana.content.all_objects import all_objects, version
from infra.kibana.memory import Memory
from infra.kibana.objects.saved_object import TAG, SavedObject, TimeRange
from services.common.errors import TapewatchError
from services.common.process.readiness import wait_for_server
from services.common.process.shutdown import Stop

_KINDS = {
    "index-pattern": "data view",
    "search": "search",
    "lens": "chart",
    "links": "links",
    "dashboard": "dashboard",
    "tag": "tag",
}
_TAG_KEY = ("tag", TAG)


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
    kibana = Kibana(kibana_url, login)
    return wait_for_server(kibana.check_ready, NO_ANSWER, f"Kibana at {kibana.url}", stop)


def import_objects(
    kibana_url: str,
    login: Login | None,
    note: Callable[[str], None],
    *,
    times: TimeRange | None = None,
    dashboard_url: str | None = None,
    overwrite: bool = False,
) -> list[str]:
    """Put back the objects that are missing; return one line for each change.

    What exists stays as people left it, except for what it opens with, as long as nobody chose another time
    range.

    Parameters
    ----------
    kibana_url, login
        See `wait_for_kibana`.
    note
        Called if the objects are of another version than these.
    times
        What dashboards and searches open with; None if that is not known: what they opened with before.
    dashboard_url
        Address of Tapewatch's own dashboard as readers reach it; None for objects without links to it.
    overwrite
        Import all objects, over those of the same id, with all that people changed.

    Raises
    ------
    TapewatchError
        If Kibana does not answer, or rejects the import.
    """
    kibana = Kibana(kibana_url, login)
    try:
        return _import(kibana, note, times, dashboard_url, overwrite=overwrite)
    except NO_ANSWER as error:
        raise TapewatchError(
            f"Kibana at {kibana.url} does not answer: {error}.",
            "Check its log, then run `tapewatch setup` again.",
        ) from error


def _import(
    kibana: Kibana,
    note: Callable[[str], None],
    times: TimeRange | None,
    dashboard_url: str | None,
    *,
    overwrite: bool,
) -> list[str]:
    found = kibana.find(set(_KINDS))
    before = Memory.of(found.get(_TAG_KEY, ""))
    times = times or before.times
    ours = all_objects(times, dashboard_url)
    current = version(dashboard_url)
    there = [key_of(one) for one in ours if key_of(one) in found]
    is_whole = overwrite or not there
    after = Memory(current if is_whole else before.version, times)
    moved = [] if is_whole or times == before.times else _opening_with(times, before.times, kibana, there)
    new = [one for one in ours if is_whole or key_of(one) not in found]
    if is_whole or after != before or _TAG_KEY not in found:
        new.insert(0, after.as_tag())
    if new or moved:
        kibana.put([*new, *moved])
    if after.version != current:
        note(
            "Kibana's objects are of another version of Tapewatch, or link to another address: `tapewatch "
            "setup --overwrite` replaces them, also what people changed in them"
        )
    return [
        *_lines([one for one in new if key_of(one) not in found], "created"),
        *_lines([one for one in new if key_of(one) in found and one["type"] != "tag"], "reset"),
        *([f"Kibana opens with {times.start} to {times.end}"] if moved else []),
    ]


def _opening_with(
    times: TimeRange, before: TimeRange, kibana: Kibana, keys: Iterable[Key]
) -> list[SavedObject]:
    """Return the objects that open with the time range of before, with the new one in its place."""
    timed = [key for key in keys if key[0] in ("dashboard", "search")]
    exported = kibana.export(timed) if timed else []
    changed = [(one, _replaced(one["attributes"], before, times)) for one in exported]
    return [one | {"attributes": new} for one, new in changed if new != one["attributes"]]


def _replaced(value: Any, before: TimeRange, after: TimeRange) -> Any:  # noqa: ANN401
    """Replace a time range wherever Kibana's version keeps it in a dashboard's or a search's attributes."""
    if isinstance(value, list):
        return [_replaced(one, before, after) for one in value]
    if not isinstance(value, Mapping):
        return value
    new = {name: _replaced(one, before, after) for name, one in value.items()}
    for start, end in (("from", "to"), ("timeFrom", "timeTo")):
        if (value.get(start), value.get(end)) == (before.start, before.end):
            new |= {start: after.start, end: after.end}
    return new


def _lines(objects: Collection[SavedObject], what: str) -> list[str]:
    return [f"{what} in Kibana: {_KINDS[one['type']]} {_name(one)}" for one in objects]


def _name(one: SavedObject) -> str:
    attributes = one["attributes"]
    name: str = attributes.get("name") or attributes["title"]
    return name
