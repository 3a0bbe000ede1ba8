"""Who is at the screen: the name of Streamlit's own sign-in where it is configured, else a typed one."""

import streamlit as st

from dashboard.ui.cookies import remember, remembered
from services.common.errors import TapewatchError
from services.review.history import MAX_NAME, Person

_TYPED = "who-typed"
_COOKIE = "tapewatch_name"
_CLAIMS = ("email", "preferred_username", "name", "sub")
"""What a provider says of a person; the first that it says is the name, as display names can be the same."""


def has_sign_in() -> bool:
    """Whether a provider is configured (`[auth]` in Streamlit's `secrets.toml`)."""
    return "is_logged_in" in st.user


def who() -> Person | None:
    """Return who is at the screen; None if that is not known yet."""
    if has_sign_in():
        # An address that the provider has not checked is no better than a typed one.
        claims = [claim for claim in _CLAIMS if claim != "email" or st.user.get("email_verified", True)]
        name = next((str(st.user[claim]) for claim in claims if st.user.get(claim)), "")
        return Person(name, signed_in=True) if st.user.is_logged_in and name.strip() else None
    typed = _typed().strip()
    return Person(typed) if typed else None


def ask_who(key: str) -> Person | None:
    """Show who is at the screen, or ask; nobody can type over the name of a sign-in.

    The browser remembers a typed name.

    Parameters
    ----------
    key
        Of the input.

    Returns
    -------
    Person or None
        None until a name is given.
    """
    if has_sign_in():
        person = who()
        st.caption(
            "Sign in to record anything." if person is None else "Recorded under the name you signed in with:"
        )
        if person is not None:
            st.text(person.name)
        return person
    if key not in st.session_state:
        st.session_state[key] = st.session_state[f"{key}-before"] = _typed()
    name = st.text_input("Your name", max_chars=MAX_NAME, key=key, placeholder="Recorded as not proven")
    if name != st.session_state.get(f"{key}-before"):
        st.session_state[_TYPED] = st.session_state[f"{key}-before"] = name
    remember(_COOKIE, _typed().strip(), key)
    return who()


def _typed() -> str:
    """Return the name that was typed last, in this tab or else in this browser."""
    if _TYPED not in st.session_state:
        st.session_state[_TYPED] = remembered(_COOKIE)[:MAX_NAME]
    return str(st.session_state[_TYPED])


def needed(person: Person | None) -> Person:
    """Return the person, or say that a name is missing.

    Raises
    ------
    TapewatchError
        There is none.
    """
    if person is None:
        raise TapewatchError(
            "Nothing is recorded without a name.", "Sign in." if has_sign_in() else "Enter your name."
        )
    return person


def show_sign_in() -> None:
    """Show the button that signs in or out, where a provider is configured."""
    if not has_sign_in():
        return
    if st.user.is_logged_in:
        st.button("Sign out", on_click=st.logout, type="tertiary", icon=":material/logout:")
    else:
        st.button("Sign in", on_click=st.login, type="tertiary", icon=":material/login:")


def said_how(signed_in: bool) -> str:
    """Return what stands behind a name in a history: whether it is proven."""
    return "signed in" if signed_in else "name not proven"
