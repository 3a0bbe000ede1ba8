"""The dashboard's own settings: `TAPEWATCH_*` variables, with defaults that fit one machine."""

import re
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from services.common.config.settings import Settings
from services.common.config.urls import HttpUrl


class DashboardSettings(Settings):
    """Settings, each read from `TAPEWATCH_<NAME>`; an empty variable counts as not set.

    Raises
    ------
    TapewatchError
        A value is invalid.
    """

    services: Annotated[tuple[str, ...], NoDecode] = ()
    """Addresses of the services' metrics, `host:port[,host:port…]`; empty for this machine's usual
    ports."""

    kibana: HttpUrl | None = None
    """URL of Kibana as visitors' browsers reach it; None without Kibana."""

    in_compose: bool = False
    """Whether the services run under docker compose, in whose terms advice is given then."""

    dashboard_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """Names and addresses, `host[,host…]`, at which browsers may reach the dashboard besides loopback's."""

    exchange: str = "XNAS"
    """Market identifier code of the exchange whose days and clock are shown: the profile's `exchange`."""

    ahead_days: Annotated[int, Field(ge=0, le=36_500)] = 0
    """Days ahead of the clock that count as sessions, for a simulated market that is dated ahead."""

    refresh_s: Annotated[float, Field(ge=1, le=3600)] = 5.0
    """Seconds from one refresh of a live page to the next."""

    @field_validator("services", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        addresses = tuple(part.strip() for part in value.split(",") if part.strip())
        for number, address in enumerate(addresses, start=1):
            host, _, port = address.rpartition(":")
            if not host or set("@/") & set(host) or not port.isdecimal() or int(port) > 65535:
                raise ValueError(f"address {number} of {len(addresses)} is not host:port")
        return addresses

    @field_validator("dashboard_hosts", mode="before")
    @classmethod
    def _split_hosts(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        hosts = tuple(part.strip().strip("[]") for part in value.split(",") if part.strip())
        for number, host in enumerate(hosts, start=1):
            if not re.fullmatch(r"[\w.-]+|[0-9a-fA-F:.]+", host):
                raise ValueError(f"host {number} of {len(hosts)} is no name or address (without a port)")
        return hosts
