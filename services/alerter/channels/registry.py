"""The registered kinds of channels, one line each. A kind's code is loaded only when a file names it."""

from dataclasses import dataclass

from services.alerter.channels.base import Channel
from services.alerter.rules.model import ChannelSpec
from services.common.errors import TapewatchError
from services.common.extras import load_with_extra

HINT = "docs/alert-channels.md has the options of each kind of channel."


@dataclass(frozen=True)
class ChannelKind:
    """One kind of channel.

    Parameters
    ----------
    title
        Its name for people.
    code
        Its class, as `module:class`.
    extra
        The optional dependency of Tapewatch that it needs; empty for none.
    keeps_open
        Whether its receiver keeps an alert open until it is told of the end, which wakes nobody.
    """

    title: str
    code: str
    extra: str = ""
    keeps_open: bool = False


CHANNELS = {
    "alertmanager": ChannelKind(
        "Alertmanager", "services.alerter.channels.alertmanager:Alertmanager", keeps_open=True
    ),
    "apprise": ChannelKind("Apprise", "services.alerter.channels.apprise:Apprise", extra="alerts-apprise"),
    "email": ChannelKind("E-mail", "services.alerter.channels.email:Email"),
    "pagerduty": ChannelKind("PagerDuty", "services.alerter.channels.pagerduty:PagerDuty", keeps_open=True),
    "slack": ChannelKind("Slack", "services.alerter.channels.slack:Slack"),
    "stdout": ChannelKind("Standard output", "services.alerter.channels.stdout:Stdout"),
    "webhook": ChannelKind("Webhook", "services.alerter.channels.webhook:Webhook"),
}
"""By the name that a rules file gives as `kind`."""


def kind_of(kind: str) -> ChannelKind:
    """Return what is known of a kind, without loading its code.

    Raises
    ------
    TapewatchError
        The kind is unknown.
    """
    if kind not in CHANNELS:
        raise TapewatchError(
            f"Unknown kind of channel {kind!r}.", f"Choose one of: {', '.join(sorted(CHANNELS))}."
        )
    return CHANNELS[kind]


def load_channel(kind: str) -> type[Channel]:
    """Return the class of a kind.

    Raises
    ------
    TapewatchError
        The kind is unknown, or a package that it needs is not installed.
    """
    spec = kind_of(kind)
    found: type[Channel] = load_with_extra(spec.code, f"Channels of the kind {kind} need", spec.extra)
    return found


def open_channel(spec: ChannelSpec) -> Channel:
    """Return a channel that can send.

    Raises
    ------
    TapewatchError
        Its kind is unknown or not installed, an option is missing, unknown or impossible, or a file with a
        secret cannot be read; the error names the channel and the option.
    """
    try:
        return load_channel(spec.kind)(spec.name, spec.options)
    except ValueError as error:
        raise TapewatchError(
            f"The channel {spec.name!r} ({spec.kind}) cannot be used: {error}.", HINT
        ) from None
    except TapewatchError as error:
        raise TapewatchError(
            f"The channel {spec.name!r} ({spec.kind}) cannot be used. {error.cause}", error.hint
        ) from None
