"""The Elasticsearch client that every service uses; no other module imports the library's client."""

import ssl
from pathlib import Path
from typing import Any

from elasticsearch import Elasticsearch
from elasticsearch.serializer import OrjsonSerializer

from services.common.config.secret_files import given_secret
from services.common.config.settings import Settings
from services.common.config.urls import has_credentials
from services.common.elastic.nodes import Node
from services.common.errors import TapewatchError

__all__ = ["Elasticsearch", "OrjsonSerializer", "new_client"]

REQUEST_TIMEOUT_S = 60.0

_PREFIX = "TAPEWATCH_ELASTICSEARCH"


def new_client(
    url: str,
    connections: int = 4,
    settings: Settings | None = None,
    serializer: OrjsonSerializer | None = None,
    node: type[Node] = Node,
) -> Elasticsearch:
    """Return a client that leaves retries to its user; it does not connect yet.

    Parameters
    ----------
    url
        Address of the cluster, or of several of its nodes, joined by commas: while one does not answer, the
        others are asked.
    connections
        Most connections to a node that are kept open.
    settings
        How to log in and which certificates to trust; None: read from the environment.
    serializer
        Reads the answers; None for one that reads all of them.
    node
        Connects to the server.

    Raises
    ------
    TapewatchError
        The URL is invalid, a file cannot be read, or the settings contradict each other.
    """
    _check_url(url)
    try:
        return Elasticsearch(
            [node_url.strip() for node_url in url.split(",")],
            request_timeout=REQUEST_TIMEOUT_S,
            max_retries=0,
            retry_on_timeout=False,
            connections_per_node=connections,
            node_class=node,
            serializers={"application/json": serializer or OrjsonSerializer()},
            **_access(url, settings or Settings()),
        )
    except ValueError as error:
        raise TapewatchError(
            f"The address of Elasticsearch, {url}, is not a URL: {error}.",
            f"Set {_PREFIX} to a URL such as http://127.0.0.1:9200.",
        ) from error


def _check_url(url: str) -> None:
    if has_credentials(url):
        # Logs and errors show the address, so this one must not get there.
        raise TapewatchError(
            f"{_PREFIX} contains a user or password, which logs would show.",
            f"Remove them, and set {_PREFIX}_USER and {_PREFIX}_PASSWORD_FILE.",
        )


def _access(url: str, settings: Settings) -> dict[str, Any]:
    """Return the client's arguments for logging in and for TLS."""
    arguments: dict[str, Any] = {}
    api_key = given_secret(
        settings.elasticsearch_api_key, settings.elasticsearch_api_key_file, f"{_PREFIX}_API_KEY"
    )
    password = given_secret(
        settings.elasticsearch_password, settings.elasticsearch_password_file, f"{_PREFIX}_PASSWORD"
    )
    user = settings.elasticsearch_user
    if api_key is not None and (user is not None or password is not None):
        raise TapewatchError(
            f"Both {_PREFIX}_API_KEY and a user or password are set.",
            "Set one of them: an API key needs no user.",
        )
    if (user is None) != (password is None):
        missing = "PASSWORD_FILE" if password is None else "USER"
        raise TapewatchError(
            f"Only one of user and password for Elasticsearch is set: {_PREFIX}_{missing} is missing.",
            "Set both, or neither.",
        )
    if api_key is not None:
        arguments["api_key"] = api_key
    elif user is not None:
        arguments["basic_auth"] = (user, password)
    if (ca := settings.elasticsearch_ca) is not None:
        if not all(node_url.strip().startswith("https:") for node_url in url.split(",")):
            raise TapewatchError(
                f"{_PREFIX}_CA is set, but {url} is not https.",
                f"Unset {_PREFIX}_CA, or use an https:// address.",
            )
        arguments["ssl_context"] = _trusting(ca)
    return arguments


def _trusting(ca: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:  # an SSLError is one, too
        raise TapewatchError(
            f"The certificates in {ca} cannot be read: {error.strerror or error}.",
            f"Set {_PREFIX}_CA to a file of certificates in PEM form.",
        ) from error
