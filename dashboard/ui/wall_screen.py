"""Whether a page is shown on a wall screen, where nobody clicks: `?wall` in its address."""

import streamlit as st

PARAMETER = "wall"
_ON = "on"


def is_wall() -> bool:
    """Whether the address asks for a wall screen: `?wall`, until it says `?wall=off`."""
    value = st.query_params.get(PARAMETER)
    if value == "":
        # A parameter without a value is lost as soon as a page writes its own.
        st.query_params[PARAMETER] = _ON
    return value in ("", _ON)
