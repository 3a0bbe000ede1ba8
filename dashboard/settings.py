"""What only the dashboard needs to know: `TAPEWATCH_*` variables over defaults that fit one machine."""

from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from services.common.errors import TapewatchError

_PREFIX = "TAPEWATCH_"


class DashboardSettings(BaseSettings):
    """Each can be set as `TAPEWATCH_<NAME>`; an empty variable counts as one that is not set.

    Raises
    ------
    TapewatchError
        A value is impossible.
    """

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_ignore_empty=True)

    services: Annotated[tuple[str, ...], NoDecode] = ()
    """Where the services serve their metrics, `host:port[,host:port…]`; empty for this machine's usual
    ports."""

    kibana: str | None = None
    """URL of Kibana; None where there is none."""

    refresh_s: Annotated[float, Field(ge=1, le=3600)] = 5.0
    """Seconds from one refresh of a live page to the next."""

    def __init__(self, **given: Any) -> None:  # noqa: ANN401
        try:
            super().__init__(**given)
        except ValidationError as error:
            wrong = error.errors()[0]
            name = f"{_PREFIX}{wrong['loc'][0]}".upper()
            raise TapewatchError(
                f"{name} is {wrong['input']!r}: {wrong['msg']}.",
                f"Set {name} to such a value, or not at all.",
            ) from error

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
