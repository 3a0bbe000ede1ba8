"""What a person can do with an alert's case."""

import streamlit as st

from dashboard.pages.alerts.state import seen_case
from dashboard.server.alerts import find_alerts_by_id
from dashboard.ui.who import ask_who, needed
from services.common.elastic.client import Elasticsearch
from services.common.errors import TapewatchError
from services.contracts.alert import Alert
from services.review.case import (
    Action,
    Case,
    Outcome,
    Step,
)
from services.review.cases import (
    CaseChangedError,
    cases_of,
    take_step,
)
from services.review.history import MAX_COMMENT, MAX_NAME, Person

_DONE = "alert-steps-done"
_ID_CHARS = 32


def show_actions(client: Elasticsearch, alert: Alert) -> None:
    """Show the steps that can be taken, and take the one that is asked for."""
    st.markdown("#### Case")
    said = st.container()
    person = ask_who("alert-who")
    case = cases_of(client, [alert.alert_id]).get(alert.alert_id, Case())
    # Fields begin empty again after a step that was recorded, and only then.
    key = f"{alert.alert_id}-{st.session_state.get(_DONE, 0)}"
    comment = st.text_area("Comment", max_chars=MAX_COMMENT, height=90, key=f"case-comment-{key}")
    step = ask_for_step(case, comment, key, person)
    if step is None:
        return
    with said:
        take(client, alert, step, person)


def ask_for_step(case: Case, comment: str, key: str, person: Person | None) -> Step | None:
    """Show the buttons of the steps that the case allows; returns the one that is asked for."""
    with st.container(horizontal=True, gap="small"):
        if case.closed is not None:
            if st.button("Reopen", icon=":material/undo:", type="primary"):
                return Step(Action.REOPENED, comment)
        elif case.acknowledged is None and st.button(
            "Acknowledge", shortcut="a", icon=":material/check:", type="primary"
        ):
            return Step(Action.ACKNOWLEDGED, comment)
        # Streamlit keeps the key C for itself.
        if st.button("Comment", shortcut="m", icon=":material/comment:"):
            return Step(Action.COMMENTED, comment)
    if case.closed is None:
        outcome = st.segmented_control(
            "It turned out to be", list(Outcome), format_func=str.capitalize, key=f"case-outcome-{key}"
        )
        if st.button("Close", icon=":material/done_all:", disabled=outcome is None):
            return Step(Action.CLOSED, comment, outcome=outcome)
    return ask_to_assign(case, comment, key, person) or ask_to_link(comment, key)


def ask_to_assign(case: Case, comment: str, key: str, person: Person | None) -> Step | None:
    """Let the case be assigned to somebody, or to nobody."""
    with st.expander(f"Assign ({case.assignee or 'nobody has it'})"):
        if person is not None and person.name != case.assignee and st.button("To me"):
            return Step(Action.ASSIGNED, comment, assignee=person.name)
        if case.assignee and st.button("To nobody"):
            return Step(Action.ASSIGNED, comment, assignee="")
        name = st.text_input("To somebody else", max_chars=MAX_NAME, key=f"case-assignee-{key}")
        if st.button("Assign", disabled=not name.strip()):
            return Step(Action.ASSIGNED, comment, assignee=name)
    return None


def ask_to_link(comment: str, key: str) -> Step | None:
    """Let the case be linked to another alert."""
    with st.expander("Link to another alert"):
        other = st.text_input("Its id", max_chars=_ID_CHARS, key=f"case-link-{key}").strip()
        if st.button("Link", disabled=not other):
            return Step(Action.LINKED, comment, linked_to=other)
    return None


def take(client: Elasticsearch, alert: Alert, step: Step, person: Person | None) -> None:
    """Take a step, and show the page again; where that is not possible, say why and keep what was typed."""
    try:
        check_link(client, alert, step)
        take_step(client, alert, seen_case(alert.alert_id), step, needed(person))
    except TapewatchError as error:
        st.warning(error.cause, icon=":material/group:" if isinstance(error, CaseChangedError) else None)
        st.text(error.hint)
        return
    st.session_state[_DONE] = st.session_state.get(_DONE, 0) + 1
    st.rerun()


def check_link(client: Elasticsearch, alert: Alert, step: Step) -> None:
    """Check that a link leads to another alert.

    Raises
    ------
    TapewatchError
        It does not.
    """
    if step.linked_to is None:
        return
    if step.linked_to == alert.alert_id:
        raise TapewatchError("This is the alert itself.", "Enter the id of another one.")
    if step.linked_to not in find_alerts_by_id(client, [step.linked_to]):
        raise TapewatchError(f"No alert with the id {step.linked_to} is indexed.", "Copy it from its page.")
