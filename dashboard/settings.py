"""What only the dashboard needs to know: `TAPEWATCH_*` variables over defaults that fit one machine."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from services.common.config.settings import EnvironmentSettings


class DashboardSettings(EnvironmentSettings):
    """Each can be set as `TAPEWATCH_<NAME>`; an empty variable counts as one that is not set.

    Raises
    ------
    TapewatchError
        A value is impossible.
    """

    services: Annotated[tuple[str, ...], NoDecode] = ()
    """Where the services serve their metrics, `host:port[,host:port…]`; empty for this machine's usual
    ports."""

    kibana: str | None = None
    """URL of Kibana; None where there is none."""

    refresh_s: Annotated[float, Field(ge=1, le=3600)] = 5.0
    """Seconds from one refresh of a live page to the next."""

    @field_validator("services", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        addresses = tuple(part.strip() for part in value.split(",") if part.strip())
        for address in addresses:
            _, colon, port = address.rpartition(":")
            if not colon or not port.isdecimal() or int(port) > 65535:
                raise ValueError(f"{address} is not host:port")
        return addresses

    @field_validator("kibana")
    @classmethod
    def _check_kibana(cls, value: str | None) -> str | None:
        # It becomes a link: no other scheme may run in the browser.
        if value is not None and urlsplit(value).scheme not in ("http", "https"):
            raise ValueError("it is not an http or https URL")
        if value is not None and "@" in urlsplit(value).netloc:
            raise ValueError("it has a user or password in it, which every visitor would see")
        return value.rstrip("/") if value else None
