"""The learned policy at run time: states in, the likeliest action out [door: onnxruntime]."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from agent.dialogue.featurizer import State
from agent.dialogue.names import ACTION_LISTEN, LEARNED_POLICY
from agent.dialogue.tokens import intent_token, state_tokens
from agent.errors import ModelError

FORMAT = 1
NETWORK_FILE = "dialogue.onnx"
SPEC_FILE = "dialogue.json"


@dataclass(frozen=True, slots=True)
class LearnedSpec:
    """What goes with a learned policy's network.

    `tokens` are numbered from 1 (0 is padding), `actions` from 0; `history` is the number
    of states that it reads; `kind` says how it was made (`linear` or `transformer`).
    """

    tokens: tuple[str, ...]
    actions: tuple[str, ...]
    history: int
    kind: str
    format: int = FORMAT


class LearnedPolicy:
    """Generalizes from the stories to orders that none of them shows.

    Args:
        network: ONNX with the input `ids` (1, history, F) int64, the latest state last,
            and the output `probabilities` (1, actions) float32.
        spec: its tokens and actions.
    """

    name = LEARNED_POLICY

    def __init__(self, network: bytes, spec: LearnedSpec) -> None:
        self._session = _open_session(network)
        self._numbers = {token: i for i, token in enumerate(spec.tokens, start=1)}
        self._spec = spec

    def predict(
        self, states: Sequence[State], *, without: str | None = None
    ) -> tuple[str, float] | None:
        """The likeliest action (not `without`) after these states, oldest first, its probability.

        None if there is nothing to go by: a message whose intent no story has. Once an
        action has answered it, what follows can be told from that.
        """
        if not states or self._is_strange(states[-1]):
            return None
        # One state more tells what came before the first that counts.
        recent = states[-self._spec.history - 1 :]
        tokens = state_tokens(recent)[-self._spec.history :]
        ids = padded_ids(tokens, self._numbers, self._spec.history)
        (probabilities,) = self._session.run(["probabilities"], {"ids": ids})
        # An action that declined to run leaves its share to nobody, as in Rasa.
        shares = [
            0.0 if action == without else share
            for action, share in zip(self._spec.actions, probabilities[0].tolist(), strict=True)
        ]
        best = int(np.argmax(shares))
        return self._spec.actions[best], shares[best]

    def _is_strange(self, state: State) -> bool:
        """Whether a message is to be answered whose intent no story has."""
        intent = intent_token(state)
        heard = state.is_start or state.action == ACTION_LISTEN
        return heard and intent is not None and intent not in self._numbers


def _open_session(network: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
    # onnxruntime's errors share no base class of their own below Exception.
    except Exception as error:
        raise ValueError(str(error).splitlines()[0]) from error


def padded_ids(
    tokens: Sequence[Sequence[str]], numbers: dict[str, int], history: int
) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Token numbers (1, history, F), the latest state last; unknown tokens are left out."""
    known = [[numbers[token] for token in state if token in numbers] for state in tokens]
    ids = np.zeros((1, history, max(1, *map(len, known), 1)), np.int64)
    for row, state in zip(ids[0, history - len(known) :], known, strict=True):
        row[: len(state)] = state
    return ids


def write_learned(folder: Path, network: bytes, spec: LearnedSpec) -> None:
    """Write a learned policy's files into a model folder."""
    (folder / NETWORK_FILE).write_bytes(network)
    data = {
        "format": spec.format,
        "kind": spec.kind,
        "history": spec.history,
        "actions": spec.actions,
        "tokens": spec.tokens,
    }
    (folder / SPEC_FILE).write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")


def read_learned(folder: Path) -> LearnedPolicy | None:
    """A model folder's learned policy; None if it has none.

    Raises:
        ModelError: the files are damaged or of another format.
    """
    if not (folder / SPEC_FILE).is_file():
        return None
    try:
        data = json.loads((folder / SPEC_FILE).read_text(encoding="utf-8"))
        if data["format"] != FORMAT:
            text = f"{folder / SPEC_FILE} has format {data['format']}, this version reads {FORMAT}"
            raise ModelError(f"{text}: train the model again")
        spec = LearnedSpec(
            tokens=tuple(data["tokens"]),
            actions=tuple(data["actions"]),
            history=int(data["history"]),
            kind=str(data["kind"]),
        )
        return LearnedPolicy((folder / NETWORK_FILE).read_bytes(), spec)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{folder}: {SPEC_FILE} or {NETWORK_FILE} cannot be read ({error}); "
            "run `agent train` to make the model again"
        ) from error
