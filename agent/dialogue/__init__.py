"""Dialogue: events, the tracker that folds them, the policies that choose the next action.

Forms, the two-stage fallback and slot extraction run actions, so they stand in modules of
their own (`forms`, `two_stage`, `extraction`) that are not imported here.
"""

from agent.dialogue.contradictions import find_contradictions
from agent.dialogue.policies import (
    Policies,
    PolicyData,
    action_events,
    compile_policies,
    decision_events,
    falls_back,
)
from agent.dialogue.tracker import Tracker

__all__ = [
    "Policies",
    "PolicyData",
    "Tracker",
    "action_events",
    "compile_policies",
    "decision_events",
    "falls_back",
    "find_contradictions",
]
