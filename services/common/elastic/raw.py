"""Answers whose documents stay the bytes that were indexed, with every digit of their numbers."""

from typing import Any, TypedDict

import msgspec

from services.common.elastic.client import OrjsonSerializer


class _Hit(TypedDict, total=False):
    _source: msgspec.Raw
    _seq_no: int
    sort: list[Any]


class _Hits(TypedDict):
    hits: list[_Hit]


_parts = msgspec.json.Decoder(dict[str, msgspec.Raw])
_hits = msgspec.json.Decoder(_Hits)


class RawDocuments(OrjsonSerializer):
    """Reads answers, but leaves `_source` of each hit as JSON (`msgspec.Raw`)."""

    def json_loads(self, data: bytes) -> Any:  # noqa: ANN401
        """Return what an answer says; of hits the document, the sort values and `_seq_no`."""
        try:
            parts = _parts.decode(data)
            hits = _hits.decode(parts.pop("hits"))
        except (KeyError, msgspec.DecodeError):  # it has no hits, or is none of ours
            return super().json_loads(data)
        return {name: super(RawDocuments, self).json_loads(bytes(part)) for name, part in parts.items()} | {
            "hits": hits
        }
