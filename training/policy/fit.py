"""Trains the learned policy of a project, where it has one."""

from pathlib import Path
from typing import Literal

from agent.dialogue.learned import LearnedPolicy, LearnedSpec, write_learned
from agent.project.types import PolicyConfig, Project
from training.policy.examples import story_turns
from training.policy.linear import HISTORY, fit_dialogue_linear

Kind = Literal["linear", "transformer"]
RASA_POLICY = "TEDPolicy"
LONGEST = 8
"""States that a transformer reads at most."""


def wants_learned_policy(config: PolicyConfig) -> bool:
    """Whether the project has a policy that generalizes: Rasa's TED, or Rasa's defaults."""
    return not config.names or RASA_POLICY in config.names


def train_dialogue_policy(
    project: Project, *, kind: Kind = "linear", seed: int = 0
) -> tuple[bytes, LearnedSpec] | None:
    """The learned policy as ONNX with its spec; None if the project has none or no stories.

    Args:
        project: whose stories are learned.
        kind: `linear` fits a linear layer in a second; `transformer` trains a small one with torch.
        seed: of the copies that forget, and of the training.
    """
    if not wants_learned_policy(project.config.policies):
        return None
    history = min(project.config.policies.learned_max_history or LONGEST, LONGEST)
    turns = story_turns(project, 1 + (HISTORY if kind == "linear" else history))
    if len({action for _, action in turns}) < 2:
        return None
    if kind == "linear":
        return fit_dialogue_linear(turns, seed=seed)
    # torch is not loaded where it is not needed
    from training.policy.transformer import TransformerOptions, fit_dialogue_transformer

    return fit_dialogue_transformer(turns, seed=seed, options=TransformerOptions(history=history))


def save_dialogue_policy(
    project: Project, folder: Path, *, kind: Kind = "linear", seed: int = 0
) -> bool:
    """Train the learned policy into a model folder; whether there is one."""
    trained = train_dialogue_policy(project, kind=kind, seed=seed)
    if trained is None:
        return False
    write_learned(folder, *trained)
    return True


def learned_policy(project: Project) -> LearnedPolicy | None:
    """The project's learned policy, quickly fitted and ready to predict."""
    trained = train_dialogue_policy(project)
    return None if trained is None else LearnedPolicy(*trained)
