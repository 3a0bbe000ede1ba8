"""Names a server that is not the Elasticsearch this client speaks to."""

from importlib.metadata import version

from services.common.elastic.client import Elasticsearch
from services.common.elastic.errors import NOT_NOW, ApiError, UnsupportedProductError
from services.common.errors import TapewatchError

# A server of another major version rejects the client's own media type, and would not tell its version.
_ANY_TYPE = {"accept": "*/*"}


def check_product(client: Elasticsearch, url: str) -> None:
    """Check that the server is an Elasticsearch of the client's major version.

    Parameters
    ----------
    client
        Client of the cluster; errors of the connection are passed on.
    url
        Address of the cluster, for the error.

    Raises
    ------
    TapewatchError
        It is another product, or another version.
    ApiError
        It cannot answer now. A server that does not tell this user what it is passes as one that fits.
    """
    try:
        told = client.perform_request("GET", "/", headers=_ANY_TYPE).body
        is_elasticsearch = True
    except UnsupportedProductError as error:
        told = error.body
        is_elasticsearch = False
    except ApiError as error:
        if error.status_code in NOT_NOW:
            raise
        return
    found = _name(told if isinstance(told, dict) else {}, is_elasticsearch)
    if found is not None:
        raise TapewatchError(
            f"The server at {url} is {found}.",
            f"The client needs version {_client_major()} of Elasticsearch: set TAPEWATCH_ELASTICSEARCH to a "
            "cluster of that version.",
        )


def _name(told: dict[str, object], is_elasticsearch: bool) -> str | None:
    """Return what a server is, from its answer; None for an Elasticsearch of the client's major version."""
    details = told.get("version")
    about = details if isinstance(details, dict) else {}
    number = str(about.get("number", "unknown"))
    if about.get("distribution") == "opensearch" or "OpenSearch" in str(told.get("tagline")):
        return f"OpenSearch, version {number}"
    if is_elasticsearch:
        return None if number.split(".")[0] == _client_major() else f"Elasticsearch, version {number}"
    if "number" in about:
        return f"not an Elasticsearch that this client knows, version {number}"
    return "not Elasticsearch"


def _client_major() -> str:
    return version("elasticsearch").split(".")[0]
