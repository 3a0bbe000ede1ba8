"""Compares the running engine's state with that of a second engine that has judged the same prints.

It notices what no planted anomaly does: an engine that does not learn, that is not given a symbol's prints,
or is given others than the messages have.
"""

from collections.abc import Sequence

from services.contracts.trade import Trade
from services.detector.engine.engine import Engine
from services.detector.engine.state import SessionState
from services.detector.profiles.profile import Profile
from services.detector.selftest.trial import through_messages

ORDER = "the order of the prints"


def differences(
    profile: Profile, before: SessionState, prints: Sequence[Trade], after: SessionState
) -> list[str]:
    """Return what of a session's state differs from that of an engine that has judged the same prints.

    Parameters
    ----------
    profile
        The running one.
    before
        The session's state.
    prints
        All of its prints since then, as their messages have them.
    after
        Its state now.

    Returns
    -------
    list
        Names of the parts, sorted; empty if all are equal to the last bit. What is growing is not compared,
        as it names the messages.
    """
    engine = Engine(profile)
    engine.restore(before)
    engine.detect(through_messages(list(prints)))
    expected = engine.save(before.session)
    parts = {**expected.detectors, ORDER: expected.order}
    found = {**after.detectors, ORDER: after.order}
    return sorted(name for name in parts.keys() | found.keys() if parts.get(name) != found.get(name))
