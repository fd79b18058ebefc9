"""The errors of the training room.

AgentError              knowledge.errors: one clear line, exit code 1
├── InputError          knowledge.errors: bad input, exit code 2
│   └── DataError       training data that nothing can be learned from
└── TrainingError       the training itself failed
"""

from knowledge.errors import AgentError, InputError


class DataError(InputError):
    """Training or test data that cannot be used; names the file and line where known."""


class TrainingError(AgentError):
    """The training or the export failed; says at which step and what to do."""


__all__ = ["AgentError", "DataError", "InputError", "TrainingError"]
