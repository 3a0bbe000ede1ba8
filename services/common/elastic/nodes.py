"""The connection to one server of Elasticsearch; what shares or keeps its answers derives from it."""

from elastic_transport import ConnectionError as NotReachable
from elastic_transport import (
    ConnectionTimeout,
    NodeConfig,
    Urllib3HttpNode,
)
from elastic_transport import HttpHeaders as Headers
from elastic_transport._node import NodeApiResponse as Answer  # what a node returns; it has no public name
from elastic_transport.client_utils import DEFAULT, DefaultType

__all__ = [
    "DEFAULT",
    "Answer",
    "ConnectionTimeout",
    "DefaultType",
    "Headers",
    "Node",
    "NodeConfig",
    "NotReachable",
]

Node = Urllib3HttpNode
