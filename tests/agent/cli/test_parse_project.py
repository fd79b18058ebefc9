"""`agent parse` with a project's own model: its corrections count, a model folder's do not."""

import json
from pathlib import Path

from tests.conftest import Run

TEXT = "zebra crossing, if you please"


def test_a_correction_counts_in_the_next_parse_but_not_for_a_model_folder(
    shop: Path, run_agent: Run
) -> None:
    project = ("--project", str(shop))
    assert run_agent("parse", TEXT, *project).returncode == 0
    assert not (shop / ".agent" / "redis").exists(), "there was nothing to look up"
    run_agent("feedback", "correct", "--text", TEXT, "--intent", "refund", *project)
    taught = json.loads(run_agent("parse", TEXT, *project).stdout)
    assert taught["intent"] == {"name": "refund", "confidence": 1.0}
    model = shop / "models" / (shop / "models" / "production").read_text().strip()
    alone = json.loads(run_agent("parse", TEXT, "--model", str(model)).stdout)
    assert alone["intent"]["confidence"] < 1.0


def test_without_its_store_the_model_parses_alone_and_says_so(shop: Path, run_agent: Run) -> None:
    (shop / "settings.yml").write_text("store: {url: 'redis://127.0.0.1:1'}\n")
    done = run_agent("parse", TEXT, "--project", str(shop))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["text"] == TEXT
    assert "corrections are not followed" in done.stderr
