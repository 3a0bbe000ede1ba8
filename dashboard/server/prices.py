"""The oldest and the newest price of any group of trades."""

from typing import Any


def price_of_one(order: str) -> dict[str, Any]:
    """Ask for the price of a bucket's oldest (`asc`) or newest (`desc`) trade."""
    sequence = {"order": order, "unmapped_type": "long"}
    return {
        "top_hits": {
            "size": 1,
            "_source": False,
            "docvalue_fields": ["price"],
            "sort": [{"@timestamp": order}, {"sequence": sequence}],
        }
    }


def only_price(answer: dict[str, Any]) -> float:
    """Return what `price_of_one` asked for."""
    (hit,) = answer["hits"]["hits"]
    return float(hit["fields"]["price"][0])
