import json
from pathlib import Path
from typing import Any

import pytest

from agent.errors import InputError
from agent.generation import CALLS_FILE, open_generation
from agent.prompts.openai_generator import OpenAIGenerator
from agent.prompts.templates import load_templates
from agent.settings import GeneratorSettings, load_settings
from tests.agent.prompts.model_server import HEAD, chunk, model_server
from tests.agent.understanding.test_proposals import UNSURE, consult


def options(**changes: Any) -> GeneratorSettings:
    return load_settings(environ={}).generator.model_copy(update=changes)


def test_by_default_there_is_no_language_model(tmp_path: Path) -> None:
    none = open_generation(tmp_path, options(), load_templates())
    assert (none.generator, none.answers, none.proposer) == (None, None, None)
    assert list(tmp_path.iterdir()) == []


def test_without_a_generator_responses_are_said_as_they_are(tmp_path: Path) -> None:
    class Source:
        async def draft(self, name: str, tracker: Any, *, channel: str, arguments: Any) -> Any:
            return None

    source = Source()
    assert open_generation(tmp_path, options(), load_templates()).reword(source) is source


@pytest.mark.parametrize("kind", ["openai", "transformers"])
def test_a_generator_without_a_model_is_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(InputError, match=r"generator\.model"):
        open_generation(tmp_path, options(kind=kind), load_templates())


@pytest.mark.parametrize(("name", "reason"), [("", "holds no model"), ("none", "no folder")])
def test_a_folder_that_is_no_model_is_refused_at_the_start(
    tmp_path: Path, name: str, reason: str
) -> None:
    chosen = options(kind="transformers", model=str(tmp_path / name))
    with pytest.raises(InputError, match=reason):
        open_generation(tmp_path, chosen, load_templates())


async def test_the_settings_say_what_a_model_does(tmp_path: Path) -> None:
    chosen = options(kind="openai", model="m", answers=False, understanding=False)
    generation = open_generation(tmp_path, chosen, load_templates())
    assert generation.generator is not None
    assert (generation.answers, generation.proposer) == (None, None)
    await generation.close()


def test_the_key_is_never_shown_by_a_generator() -> None:
    made = OpenAIGenerator("http://x/v1", "m", api_key="secret", timeout_s=1.0, max_tokens=1)
    assert "secret" not in repr(made)


async def test_a_slow_model_is_asked_for_no_more_proposals_for_a_while(tmp_path: Path) -> None:
    chosen = options(kind="openai", model="m", proposal_timeout_s=0.05)
    async with model_server([HEAD, *[chunk(" ")] * 100], pause_s=0.1) as server:
        chosen = chosen.model_copy(update={"url": server.url})
        generation = open_generation(tmp_path, chosen, load_templates())
        assert generation.proposer is not None
        for _ in range(3):
            assert await consult(generation.proposer) == UNSURE
        assert len(server.requests) == 1
        await generation.close()
    # What was not asked was not spent.
    assert json.loads((tmp_path / ".agent" / CALLS_FILE).read_text())["calls"] == 1


@pytest.mark.slow
async def test_a_local_model_that_cannot_be_loaded_is_told_at_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    chosen = options(kind="transformers", model=str(tmp_path))
    generation = open_generation(tmp_path, chosen, load_templates())
    await generation.warm()
    assert "the language model cannot be used" in caplog.text
    await open_generation(tmp_path, options(), load_templates()).warm()
