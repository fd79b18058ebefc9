import json
from pathlib import Path

import pytest

from agent.project.types import Example, NluData
from agent.understanding.labels import Spec, save_spec
from training.challenger import plan, replayed
from training.options import TrainOptions

NAMES = [f"i{n}" for n in range(10)]
BASE = tuple(Example(f"text {n} of {name}", name) for name in NAMES for n in range(20))


@pytest.fixture
def champion(tmp_path: Path) -> Path:
    folder = tmp_path / "champion"
    folder.mkdir()
    save_spec(Spec(classes=tuple(NAMES), encoder=TrainOptions().encoder, method="full"), folder)
    (folder / "config.json").write_text(json.dumps({"hidden_size": 32}))
    return folder


def test_a_challenger_goes_on_from_the_champions_network(champion: Path) -> None:
    new = Example("new", "i10", source="correction:c1")
    chosen = plan(NluData((*BASE, new)), champion, TrainOptions(), replay=1000)
    assert (chosen.beginning, chosen.options.init_from) == ("champion", champion)
    assert chosen.options.epochs == 2


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (TrainOptions(method="head"), "no network"),
        (TrainOptions(encoder="other/encoder"), "another encoder"),
    ],
)
def test_otherwise_it_starts_from_scratch_and_says_why(
    champion: Path, options: TrainOptions, why: str
) -> None:
    chosen = plan(NluData(BASE), champion, options, replay=1000)
    assert chosen.beginning == "scratch"
    assert why in chosen.reason


def test_a_champion_without_a_network_is_no_beginning(champion: Path) -> None:
    (champion / "config.json").unlink()
    assert plan(NluData(BASE), champion, TrainOptions(), replay=9).beginning == "scratch"


def test_a_domain_that_changed_too_much_starts_from_scratch(champion: Path) -> None:
    others = tuple(Example(f"x{n}", f"new{n}") for n in range(10))
    chosen = plan(NluData((*BASE, *others)), champion, TrainOptions(), replay=1000)
    assert (chosen.beginning, "50% of the intents" in chosen.reason) == ("scratch", True)


def test_replay_keeps_all_corrections_and_a_share_of_each_intent() -> None:
    new = Example("new", "i0", source="correction:c1")
    kept = replayed((*BASE, new), 50)
    assert new in kept
    assert {
        name: sum(e.intent == name for e in kept if e != new) for name in NAMES
    } == dict.fromkeys(NAMES, 5)
    assert replayed((*BASE, new), 50) == kept


def test_a_compressed_champion_is_followed_by_a_compressed_challenger(champion: Path) -> None:
    (champion / "config.json").write_text(json.dumps({"hidden_size": 32, "compressed": True}))
    chosen = plan(NluData(BASE), champion, TrainOptions(), replay=1000)
    assert (chosen.beginning, chosen.options.compress) == ("scratch", True)
    assert "compressed" in chosen.reason
    assert not plan(NluData(BASE), champion, TrainOptions(method="lora"), replay=9).options.compress
