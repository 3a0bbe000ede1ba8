"""What only the dashboard needs to know: `TAPEWATCH_*` variables over defaults that fit one machine."""

from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from services.common.config.settings import Settings
from services.common.config.urls import HttpUrl


class DashboardSettings(Settings):
    """Each can be set as `TAPEWATCH_<NAME>`; an empty variable counts as one that is not set.

    Raises
    ------
    TapewatchError
        A value is impossible.
    """

    services: Annotated[tuple[str, ...], NoDecode] = ()
    """Where the services serve their metrics, `host:port[,host:port…]`; empty for this machine's usual
    ports."""

    kibana: HttpUrl | None = None
    """URL of Kibana as visitors' browsers reach it; None where there is none."""

    exchange: str = "XNAS"
    """Market identifier code of the exchange whose days and clock are shown: the profile's `exchange`."""

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
