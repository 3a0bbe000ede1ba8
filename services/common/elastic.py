"""The Elasticsearch client as every service wants it."""

from elasticsearch import Elasticsearch

REQUEST_TIMEOUT_S = 60.0


def new_client(url: str, connections: int = 4) -> Elasticsearch:
    """Return a client that leaves retries to its user.

    Parameters
    ----------
    url
        Of the cluster.
    connections
        Kept open at most.
    """
    return Elasticsearch(
        url,
        request_timeout=REQUEST_TIMEOUT_S,
        max_retries=0,
        retry_on_timeout=False,
        connections_per_node=connections,
    )
