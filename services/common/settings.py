"""Where the services find each other: `TAPEWATCH_*` variables over defaults that fit the embedded stack."""

import socket

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Addresses that every service shares; each can be set as `TAPEWATCH_<NAME>` or by a flag."""

    model_config = SettingsConfigDict(env_prefix="TAPEWATCH_")

    kafka: str = "127.0.0.1:19092"
    """Bootstrap servers, `host:port[,host:port…]`."""

    elasticsearch: str = "http://127.0.0.1:9200"
    """URL of the cluster."""

    instance: str = Field(default_factory=socket.gethostname)
    """Name of this instance of a service; stays the same over restarts, differs between instances."""
