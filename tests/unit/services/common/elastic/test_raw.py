import msgspec
import orjson

from services.common.elastic.raw import RawDocuments

SOURCE = b'{"price":1.10,"size":0.123456789012345678901, "a":{"b":[1e-7]}}'


def test_documents_keep_their_bytes_and_all_else_is_read() -> None:
    answer = (
        b'{"took":1,"pit_id":"p","hits":{"max_score":null,"hits":['
        b'{"_index":"i","_id":"1","_seq_no":7,"_source":'
        + SOURCE
        + b',"sort":["2026-03-02T14:30:00.000000007Z",9007199254740993,null]}]},'
        b'"aggregations":{"a":{"value":3.0}}}'
    )
    read = RawDocuments().loads(answer)
    [hit] = read["hits"]["hits"]
    assert isinstance(hit["_source"], msgspec.Raw)
    assert bytes(hit["_source"]) == SOURCE
    assert (hit["_seq_no"], hit["sort"][1]) == (7, 9007199254740993)
    assert (read["took"], read["pit_id"], read["aggregations"]) == (1, "p", {"a": {"value": 3.0}})


def test_answers_without_hits_are_read_whole() -> None:
    for answer in ({"error": {"reason": "x"}, "status": 400}, {"count": 3}, [1], "text", {"hits": 3}):
        assert RawDocuments().loads(orjson.dumps(answer)) == answer
