"""A text that a person types: it is kept until it is stored, whatever happens to the page meanwhile."""

import streamlit as st


def draft(label: str, key: str, max_chars: int, height: int = 90) -> str:
    """Ask for a text.

    Parameters
    ----------
    label, max_chars, height
        As `st.text_area` takes them.
    key
        What the text is about; `forget_draft` takes it, too.
    """
    kept, times = f"draft-{key}", st.session_state.get(f"draft-times-{key}", 0)
    # Streamlit forgets a control that a run did not come to, as when the data could not be read. Another
    # control follows one that was stored: what stands in the browser cannot be taken away from it.
    control = f"{kept}-{times}"
    if control not in st.session_state:
        st.session_state[control] = st.session_state.get(kept, "")
    text = st.text_area(label, max_chars=max_chars, height=height, key=control)
    st.session_state[kept] = text
    return text


def forget_draft(key: str) -> None:
    """Let the next text begin empty: this one is stored."""
    st.session_state.pop(f"draft-{key}", None)
    times = f"draft-times-{key}"
    st.session_state[times] = st.session_state.get(times, 0) + 1
