"""The names that Rasa's dialogue gives a meaning to: built-in intents, actions and slots."""

from agent.project.types import Domain

ACTION_LISTEN = "action_listen"
ACTION_RESTART = "action_restart"
ACTION_SESSION_START = "action_session_start"
ACTION_DEFAULT_FALLBACK = "action_default_fallback"
ACTION_DEACTIVATE_LOOP = "action_deactivate_loop"
ACTION_REVERT_FALLBACK_EVENTS = "action_revert_fallback_events"
ACTION_DEFAULT_ASK_AFFIRMATION = "action_default_ask_affirmation"
ACTION_DEFAULT_ASK_REPHRASE = "action_default_ask_rephrase"
ACTION_TWO_STAGE_FALLBACK = "action_two_stage_fallback"
ACTION_UNLIKELY_INTENT = "action_unlikely_intent"
ACTION_BACK = "action_back"
ACTION_EXTRACT_SLOTS = "action_extract_slots"
ACTION_VALIDATE_SLOT_MAPPINGS = "action_validate_slot_mappings"

BUILTIN_ACTIONS = (
    ACTION_LISTEN,
    ACTION_RESTART,
    ACTION_SESSION_START,
    ACTION_DEFAULT_FALLBACK,
    ACTION_DEACTIVATE_LOOP,
    ACTION_REVERT_FALLBACK_EVENTS,
    ACTION_DEFAULT_ASK_AFFIRMATION,
    ACTION_DEFAULT_ASK_REPHRASE,
    ACTION_TWO_STAGE_FALLBACK,
    ACTION_UNLIKELY_INTENT,
    ACTION_BACK,
    ACTION_EXTRACT_SLOTS,
)

INTENT_RESTART = "restart"
INTENT_BACK = "back"
INTENT_OUT_OF_SCOPE = "out_of_scope"
INTENT_SESSION_START = "session_start"
INTENT_NLU_FALLBACK = "nlu_fallback"
BUILTIN_INTENTS = (
    INTENT_RESTART,
    INTENT_BACK,
    INTENT_OUT_OF_SCOPE,
    INTENT_SESSION_START,
    INTENT_NLU_FALLBACK,
)

REQUESTED_SLOT = "requested_slot"
SESSION_METADATA_SLOT = "session_started_metadata"
KNOWLEDGE_BASE_ACTION = "action_query_knowledge_base"
KNOWLEDGE_BASE_SLOTS = (
    "knowledge_base_listed_objects",
    "knowledge_base_last_object",
    "knowledge_base_last_object_type",
)
BUILTIN_SLOTS = (REQUESTED_SLOT, SESSION_METADATA_SLOT, *KNOWLEDGE_BASE_SLOTS)

RULE_SNIPPET = "..."
"""The action of a rule that leaves open what happens (Rasa's rule snippet)."""

SHOULD_NOT_BE_SET = "should_not_be_set"
"""In a rule: the loop or slot must be empty (`null` in the file)."""

UTTER_PREFIX = "utter_"
LEARNED_POLICY = "LearnedPolicy"
"""The name in events and decisions of the policy that generalizes from the stories."""


def action_names(domain: Domain) -> tuple[str, ...]:
    """Every action that may be predicted, built-in ones first, each once."""
    retrieval = (f"{UTTER_PREFIX}{i.name}" for i in domain.intents.values() if i.is_retrieval)
    names = (
        *BUILTIN_ACTIONS,
        *domain.actions,
        *domain.responses,
        *retrieval,
        *domain.forms,
        *domain.e2e_actions,
    )
    return tuple(dict.fromkeys(names))
