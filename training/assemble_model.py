"""A whole project to a model folder: understanding, policies and knowledge index."""

import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from time import monotonic
from typing import Any

from pydantic import TypeAdapter

from agent.assemble import POLICIES_FILE, PROJECT_FILE
from agent.dialogue import PolicyData, compile_policies
from agent.errors import AgentError
from agent.feedback.names import PLACEHOLDER
from agent.model_folder import install, refuse_foreign, temporary_in
from agent.project import (
    Example,
    NluData,
    Notice,
    OrStep,
    Project,
    Rule,
    Step,
    Story,
    UserStep,
    load_project,
)
from agent.project.archive import dump_project
from agent.project.config_options import learns_entities
from agent.project.values_config import read_values
from agent.registry import Registry
from agent.turn import FALLBACK_INTENT
from agent.understanding.patterns import AS_WORDS, EXTRACTOR, Matching
from training.descriptions import with_descriptions
from training.finetune import train_understanding
from training.options import Progress, TrainOptions, TrainResult
from training.policy.fit import save_dialogue_policy
from training.testing.report import write_training_report

_LIBRARIES = ("intent-agent", "numpy", "onnxruntime", "tokenizers", "torch", "transformers")

IndexKnowledge = Callable[[Path, Progress], None]


@dataclass(frozen=True, slots=True)
class Trained:
    """A finished model folder, its report and findings, and how long it all took."""

    model: Path
    report: Mapping[str, Any]
    took_s: float
    notices: tuple[Notice, ...] = ()


def train_project(
    root: Path,
    options: TrainOptions,
    *,
    out: Path | None = None,
    index_knowledge: IndexKnowledge | None = None,
) -> Trained:
    """Train a project and put the model in production at once, or at `out` if that is given.

    Args:
        root: the project's folder.
        options: how; the project's own fallback thresholds are filled in.
        out: a model folder outside the registry.
        index_knowledge: brings the knowledge index of a project folder up to date.

    Raises:
        InputError: the project, its data or the encoder is unusable.
        AgentError: the training failed; the model that served before still serves.
    """
    started = monotonic()
    project = load_project(root)
    if index_knowledge is not None and (root / "knowledge").is_dir():
        index_knowledge(root, options.progress)
    with _building(root, out) as building:
        result = train_into(project, project.nlu, building.folder, options)
        manifest = describe(project.nlu, result, options)
        model = building.finish(manifest)
    notices = (*project.notices, *result.notices)
    return Trained(model, result.report, monotonic() - started, notices)


def train_understanding_alone(nlu: NluData, out: Path, options: TrainOptions) -> Trained:
    """Train from examples alone into the folder `out`; no project, no settings, no Redis.

    Raises:
        InputError: the data or the encoder is unusable, or `out` holds something else.
        AgentError: the training failed; a model that was in `out` is still there.
    """
    started = monotonic()
    with _building(Path(), out) as building:
        result = train_understanding(nlu, building.folder, options)
        write_training_report(result, building.folder)
        model = building.finish(describe(nlu, result, options))
    return Trained(model, result.report, monotonic() - started, result.notices)


def train_into(project: Project, nlu: NluData, folder: Path, options: TrainOptions) -> TrainResult:
    """Write everything of a model but its manifest into an empty folder."""
    # The policies first: they are quick, and their errors should not wait for the network.
    policies = compile_policies(project)
    (folder / POLICIES_FILE).write_bytes(TypeAdapter(PolicyData).dump_json(policies))
    (folder / PROJECT_FILE).write_text(dump_project(project), encoding="utf-8")
    save_dialogue_policy(project, folder, kind=options.learned_policy, seed=options.seed)
    described = with_descriptions(nlu, project.domain)
    extracted = with_extracted_patterns(described, project.config.pipeline)
    result = train_understanding(
        extracted,
        folder,
        replace(
            options,
            fallback=project.config.fallback,
            scope_decides=expects_fallback(project),
            values=read_values(project.config.pipeline, project.config.language),
            matching=matching_of(project.config.pipeline),
        ),
    )
    write_training_report(result, folder)
    return result


def expects_fallback(project: Project) -> bool:
    """Whether a message out of scope may become `nlu_fallback` without a FallbackClassifier.

    Not in a project with Rasa's config.yml that neither acts on that intent nor has a knowledge
    folder to answer from: its messages keep the intent that Rasa would give them.
    """
    configured = bool(project.config.pipeline) or (project.root / "config.yml").is_file()
    told: tuple[Story | Rule, ...] = (*project.stories, *project.rules)
    steps = [one for item in told for step in item.steps for one in _with_alternatives(step)]
    acted = any(isinstance(s, UserStep) and s.intent == FALLBACK_INTENT for s in steps)
    return not configured or acted or (project.root / "knowledge").is_dir()


def _with_alternatives(step: Step) -> tuple[Step, ...]:
    return step.alternatives if isinstance(step, OrStep) else (step,)


def with_extracted_patterns(nlu: NluData, pipeline: Sequence[Mapping[str, Any]]) -> NluData:
    """The data with only the regexes, lookup tables and synonyms that the project extracts by.

    A Rasa pipeline extracts by patterns only with a RegexEntityExtractor (with a RegexFeaturizer
    they are hints to a classifier), of entities that some example has, and by synonyms only with
    an EntitySynonymMapper; a project without a pipeline has all of them. Entities are left out of
    the examples where no component of the pipeline learns them.
    """
    if not pipeline:
        return replace(nlu, synonyms=_spellings(nlu))
    parts = {str(part.get("name")): part for part in pipeline}
    extractor = parts.get(EXTRACTOR)
    annotated = {span.label for example in nlu.examples for span in example.entities}

    def extracted(patterns: Mapping[str, tuple[str, ...]], option: str) -> dict[str, Any]:
        if extractor is None or not extractor.get(option, True):
            return {}
        return {label: found for label, found in patterns.items() if label in annotated}

    learned = learns_entities([(str(part.get("name")), part) for part in pipeline])
    return replace(
        nlu,
        examples=nlu.examples if learned else tuple(replace(e, entities=()) for e in nlu.examples),
        regexes=extracted(nlu.regexes, "use_regexes"),
        lookups=extracted(nlu.lookups, "use_lookup_tables"),
        synonyms=_spellings(nlu) if "EntitySynonymMapper" in parts else {},
    )


def matching_of(pipeline: Sequence[Mapping[str, Any]]) -> Matching:
    """How the patterns of a Rasa pipeline match, by the options of its RegexEntityExtractor."""
    found = [part for part in pipeline if part.get("name") == EXTRACTOR]
    if not found:
        return AS_WORDS
    return Matching(
        case_sensitive=bool(found[-1].get("case_sensitive", False)),
        word_regexes=False,
        word_lookups=bool(found[-1].get("use_word_boundaries", True)),
    )


def _spellings(nlu: NluData) -> dict[str, str]:
    """The synonyms, and every value that is annotated as the spelling of itself in any case.

    Rasa's mapper does so: where `[Rome](city)` is an example, "ROME" has the value "Rome".
    """
    spellings = dict(nlu.synonyms)
    annotated = (str(span.value) for e in nlu.examples for span in e.entities)
    for value in (*nlu.synonyms.values(), *annotated):
        if not PLACEHOLDER.fullmatch(value):
            spellings.setdefault(value.lower(), value)
    return spellings


def describe(nlu: NluData, result: TrainResult, options: TrainOptions) -> dict[str, Any]:
    """What manifest.json says of a model's making."""
    return {
        "method": options.method,
        "encoder": options.encoder,
        "seed": options.seed,
        "took_s": round(result.took_s, 1),
        "examples": len(nlu.examples),
        "data_hashes": {"nlu": hash_examples(nlu.examples)},
        "labels": {
            "intents": list(result.spec.intents),
            "entities": sorted({kind.label for kind in result.spec.span_types}),
            "responses": list(result.spec.responses),
        },
        "thresholds": asdict(result.spec.thresholds),
        "libraries": {name: _version(name) for name in _LIBRARIES},
        "python": ".".join(map(str, sys.version_info[:3])),
        "report": dict(result.report),
        # `agent forget` names the models that read what it deletes.
        **({"conversations": list(options.conversations)} if options.conversations else {}),
        **({"cures": dict(options.cures)} if options.cures else {}),
    }


def hash_examples(examples: Iterable[Example]) -> str:
    """One SHA-256 over texts and labels, whatever their order and place."""
    lines = sorted(
        json.dumps(
            [
                e.text,
                e.intent,
                e.response,
                [[s.start, s.end, s.label, s.role, s.group] for s in e.entities],
                sorted(e.labels.items()),
            ],
            ensure_ascii=False,
        )
        for e in examples
    )
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()


def _version(name: str) -> str:
    try:
        return version(name)
    except ImportError:
        return "not installed"


@dataclass(slots=True)
class _building:  # noqa: N801 - reads as the statement it is used in
    """A temporary folder that becomes the model when it is finished, and vanishes if not."""

    root: Path
    out: Path | None
    folder: Path = Path()

    def __enter__(self) -> "_building":
        if self.out is None:
            self.folder = Registry(self.root).temporary()
        else:
            refuse_foreign(self.out)
            self.folder = temporary_in(self.out.absolute().parent)
        return self

    def finish(self, manifest: Mapping[str, Any]) -> Path:
        """Seal the folder under its final name; without `out` it goes into production."""
        if self.out is not None:
            install(self.folder, manifest, self.out.absolute())
            return self.out
        registry = Registry(self.root)
        made = registry.publish(self.folder, manifest)
        registry.promote(made.id, by="agent train", reason="trained by hand")
        return made.path

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise AgentError(
                f"the model cannot be written in {self.folder.parent} "
                f"({error.strerror or error}); what was there before is untouched"
            ) from error
