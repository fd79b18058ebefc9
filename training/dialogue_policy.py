"""Trains the learned policy of a project, where it has one."""

from pathlib import Path

from agent.dialogue.learned import LearnedPolicy, LearnedSpec, write_learned
from agent.project.types import PolicyConfig, Project
from training.dialogue_examples import story_turns
from training.dialogue_linear import HISTORY, fit_dialogue_linear

RASA_POLICY = "TEDPolicy"


def wants_learned_policy(config: PolicyConfig) -> bool:
    """Whether the project has a policy that generalizes: Rasa's TED, or Rasa's defaults."""
    return not config.names or RASA_POLICY in config.names


def train_dialogue_policy(project: Project, *, seed: int = 0) -> tuple[bytes, LearnedSpec] | None:
    """The learned policy as ONNX with its spec; None if the project has none or no stories."""
    if not wants_learned_policy(project.config.policies):
        return None
    turns = story_turns(project, HISTORY + 1)
    if len({action for _, action in turns}) < 2:
        return None
    return fit_dialogue_linear(turns, seed=seed)


def save_dialogue_policy(project: Project, folder: Path, *, seed: int = 0) -> bool:
    """Train the learned policy into a model folder; whether there is one."""
    trained = train_dialogue_policy(project, seed=seed)
    if trained is None:
        return False
    write_learned(folder, *trained)
    return True


def learned_policy(project: Project, *, seed: int = 0) -> LearnedPolicy | None:
    """The project's learned policy, ready to predict."""
    trained = train_dialogue_policy(project, seed=seed)
    return None if trained is None else LearnedPolicy(*trained)
