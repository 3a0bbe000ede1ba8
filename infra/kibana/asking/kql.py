"""Kibana's query language, as far as objects and docs use it: as Elasticsearch queries and as tests."""

import fnmatch
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_TOKEN = re.compile(r'\s*(?:(?P<sign>[():]|<=|>=|<|>)|"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<word>[^\s():<>"]+))')
_RANGES: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "<": ("lt", lambda found, limit: found < limit),
    "<=": ("lte", lambda found, limit: found <= limit),
    ">": ("gt", lambda found, limit: found > limit),
    ">=": ("gte", lambda found, limit: found >= limit),
}


@dataclass(frozen=True)
class Condition:
    """What one field has to be.

    Parameters
    ----------
    sign
        `:`, or a comparison.
    """

    field: str
    sign: str
    value: str
    is_quoted: bool

    def as_filter(self, types: Mapping[str, str]) -> dict[str, Any]:
        """Return it as an Elasticsearch query; `types` has the fields' types."""
        if self.sign != ":":
            return {"range": {self.field: {_RANGES[self.sign][0]: self.value}}}
        if self.value == "*":
            return {"exists": {"field": self.field}}
        if "*" in self.value and not self.is_quoted:
            return {"query_string": {"fields": [self.field], "query": self.value}}
        if types.get(self.field) == "text":
            return {"match_phrase" if self.is_quoted else "match": {self.field: self.value}}
        return {"term": {self.field: self.value}}

    def fits(self, document: dict[str, Any]) -> bool:
        """Tell whether a document matches."""
        found = list(_values(document, self.field.split(".")))
        if self.sign != ":":
            return any(_RANGES[self.sign][1](one, float(self.value)) for one in found)
        if self.value == "*":
            return bool(found)
        texts = [str(one).lower() if isinstance(one, bool) else str(one) for one in found]
        if "*" in self.value and not self.is_quoted:
            return any(fnmatch.fnmatchcase(one, self.value) for one in texts)
        if self.field == "message":
            return any(self.value.lower() in re.findall(r"\w+", one.lower()) for one in texts)
        return self.value in texts

    def conditions(self) -> Iterator["Condition"]:
        """Yield all conditions within it."""
        yield self


@dataclass(frozen=True)
class Combined:
    """Conditions that hold together.

    Parameters
    ----------
    how
        `and`, `or` or `not`; of `not`, there is one.
    """

    how: str
    parts: tuple["Condition | Combined", ...]

    def as_filter(self, types: Mapping[str, str]) -> dict[str, Any]:
        """Return it as an Elasticsearch query."""
        clause = {"and": "filter", "or": "should", "not": "must_not"}[self.how]
        return {"bool": {clause: [part.as_filter(types) for part in self.parts]}}

    def fits(self, document: dict[str, Any]) -> bool:
        """Tell whether a document matches."""
        found = [part.fits(document) for part in self.parts]
        if self.how == "not":
            return not any(found)
        return all(found) if self.how == "and" else any(found)

    def conditions(self) -> Iterator[Condition]:
        """Yield all conditions within it."""
        for part in self.parts:
            yield from part.conditions()


Query = Condition | Combined

EVERYTHING = Combined("and", ())


def parse(text: str) -> Query:
    """Return the query that a text says; fails on syntax that is not supported here."""
    if not text:
        return EVERYTHING
    tokens, at = [], 0
    while at < len(text.rstrip()):
        found = _TOKEN.match(text, at)
        if not found:
            raise ValueError(f"not understood: {text[at:]}")
        tokens.append(found)
        at = found.end()
    query, rest = _any_of(tokens, None)
    if rest:
        raise ValueError(f"not understood to its end: {text}")
    return query


Tokens = list[re.Match[str]]


def _is(tokens: Tokens, word: str) -> bool:
    return bool(tokens) and (tokens[0]["sign"] == word or (tokens[0]["word"] or "").lower() == word)


def _any_of(tokens: Tokens, field: str | None) -> tuple[Query, Tokens]:
    return _joined("or", lambda rest: _all_of(rest, field), tokens)


def _all_of(tokens: Tokens, field: str | None) -> tuple[Query, Tokens]:
    return _joined("and", lambda rest: _one(rest, field), tokens)


def _joined(
    how: str, inner: Callable[[Tokens], tuple[Query, Tokens]], tokens: Tokens
) -> tuple[Query, Tokens]:
    first, rest = inner(tokens)
    parts = [first]
    while _is(rest, how):
        part, rest = inner(rest[1:])
        parts.append(part)
    return (Combined(how, tuple(parts)) if len(parts) > 1 else first), rest


def _one(tokens: Tokens, field: str | None) -> tuple[Query, Tokens]:
    """Read one condition; with a field, one value of it within brackets."""
    if _is(tokens, "not"):
        query, rest = _one(tokens[1:], field)
        return Combined("not", (query,)), rest
    if _is(tokens, "("):
        query, rest = _any_of(tokens[1:], field)
        if not _is(rest, ")"):
            raise ValueError("a bracket is not closed")
        return query, rest[1:]
    if field is not None:
        return _condition(field, ":", tokens)
    name = tokens[0]["quoted"] or tokens[0]["word"]
    sign = tokens[1]["sign"]
    if _is(tokens[2:], "("):
        return _one(tokens[2:], name)
    return _condition(name, sign, tokens[2:])


def _condition(field: str, sign: str, tokens: Tokens) -> tuple[Query, Tokens]:
    quoted = tokens[0]["quoted"]
    value = quoted if quoted is not None else tokens[0]["word"]
    return Condition(field, sign, value, quoted is not None), tokens[1:]


def _values(document: Any, path: list[str]) -> Iterator[Any]:  # noqa: ANN401
    if isinstance(document, list):
        for one in document:
            yield from _values(one, path)
    elif not path:
        yield document
    elif isinstance(document, dict) and path[0] in document:
        yield from _values(document[path[0]], path[1:])
