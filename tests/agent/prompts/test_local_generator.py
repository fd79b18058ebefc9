import asyncio
import time
from pathlib import Path

import pytest

from agent.errors import GeneratorError
from agent.prompts.local_generator import TransformersGenerator

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A causal model of a few thousand random weights, with a tokenizer of bytes."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("tiny")
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: n for n, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="Ā")
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=len(alphabet), n_positions=512, n_embd=16, n_layer=1, n_head=2, eos_token_id=0
    )
    GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


async def test_a_model_in_this_process_writes_and_tells_its_pieces(tiny: Path) -> None:
    told: list[str] = []
    generator = TransformersGenerator(str(tiny), timeout_s=60.0, max_tokens=8)
    said = await generator.generate("Be brief.", "Fee?", on_text=told.append)
    assert said == "".join(told).strip()
    assert said == await generator.generate("Be brief.", "Fee?")
    await generator.close()


async def test_a_prompt_longer_than_the_window_keeps_its_end(tiny: Path) -> None:
    generator = TransformersGenerator(str(tiny), timeout_s=60.0, max_tokens=8)
    assert isinstance(await generator.generate("x" * 2000, "Fee?"), str)


async def test_a_text_that_takes_too_long_is_given_up_and_its_work_ends(tiny: Path) -> None:
    generator = TransformersGenerator(str(tiny), timeout_s=60.0, max_tokens=8)
    await generator.generate("", "warm")
    slow = TransformersGenerator(str(tiny), timeout_s=0.05, max_tokens=400)
    slow._loaded = generator._loaded
    with pytest.raises(GeneratorError, match="no answer in"):
        await slow.generate("x" * 50, "Fee?")
    started = time.monotonic()
    while slow._lock.locked() and time.monotonic() < started + 30:
        await asyncio.sleep(0.05)
    assert not slow._lock.locked()


async def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    generator = TransformersGenerator(str(tmp_path / "nowhere"), timeout_s=60.0, max_tokens=8)
    with pytest.raises(GeneratorError, match="nowhere"):
        await generator.generate("", "")
