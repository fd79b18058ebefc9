"""The errors of the agent room.

AgentError                       knowledge.errors: one clear line, exit code 1
├── InputError                   knowledge.errors: bad input, exit code 2
│   └── ProjectError             a project's files are wrong or missing
│       └── NoExamplesError      they hold no training example
├── ModelError                   a model folder is missing, truncated, tampered or too new
├── StoreError                   Redis cannot be reached or refused
├── GeneratorError               a language model gave no answer that can be used
│   └── PromptError              it cannot take this prompt; another one may do
└── ActionError                  a custom action failed, hung, crashed or is unknown
"""

from knowledge.errors import AgentError, InputError


class ProjectError(InputError):
    """A project's files are wrong or missing; carries file, line and key."""


class NoExamplesError(ProjectError):
    """Files that should hold training examples hold none."""


class ModelError(AgentError):
    """A model folder cannot be used; the message says why and what to do."""

    exit_code = 2


class StoreError(AgentError):
    """The store cannot be reached or refused a command."""


class GeneratorError(AgentError):
    """A language model cannot be reached, is too slow, or answers nothing that can be used."""


class PromptError(GeneratorError):
    """A language model cannot take this prompt, such as one longer than it reads."""


class ActionError(AgentError):
    """A custom action did not give a result.

    Args:
        action: the action's name.
        message: what happened and what to do.
    """

    def __init__(self, action: str, message: str) -> None:
        self.action = action
        super().__init__(f"action {action!r}: {message}")


__all__ = [
    "ActionError",
    "AgentError",
    "GeneratorError",
    "InputError",
    "ModelError",
    "NoExamplesError",
    "ProjectError",
    "PromptError",
    "StoreError",
]
