"""How well a model stands noise, and whether it treats all writers alike: `agent test --robust`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from agent.project.types import NluData
from agent.understanding.interpreter import Interpreter
from training.evaluate import Evaluation, evaluate
from training.testing.fairness import Fairness, check_fairness
from training.testing.noise import NOISES, disturb


@dataclass(frozen=True, slots=True)
class Robustness:
    """The same messages clean and under each noise, and the counterfactual comparison."""

    clean: Evaluation
    noisy: Mapping[str, Evaluation]
    fairness: Fairness

    def figures(self) -> dict[str, Any]:
        """As JSON: for each noise the accuracy, what it lost, and the entities' F1.

        `differences` lists the messages that are understood differently, with what each
        outcome's writers are.
        """
        clean = self.clean.figures()
        return {
            "noise": {name: _compare(clean, one.figures()) for name, one in self.noisy.items()},
            "fairness": self.fairness.figures(),
            "differences": [asdict(one) for one in self.fairness.differences],
        }


def measure_robustness(interpreter: Interpreter, data: NluData, seed: int = 0) -> Robustness:
    """Measure labelled messages under every noise, and counterfactual variants of some.

    Args:
        interpreter: the model.
        data: labelled messages.
        seed: of the noise.
    """
    noisy = {}
    for name in NOISES:
        disturbed = tuple(disturb(data.examples, name, seed))
        noisy[name] = evaluate(interpreter, replace(data, examples=disturbed))
    fairness = check_fairness(interpreter, data.examples)
    return Robustness(evaluate(interpreter, data), noisy, fairness)


def _compare(clean: Mapping[str, Any], noisy: Mapping[str, Any]) -> dict[str, float]:
    found = {}
    for part, figure in (("intent", "accuracy"), ("entity", "f1")):
        if part in clean and part in noisy:
            name = figure if part == "intent" else "entity_f1"
            found[name] = noisy[part][figure]
            found[f"{name}_lost"] = round(clean[part][figure] - noisy[part][figure], 6)
    return found
