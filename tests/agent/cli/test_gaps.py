import json
from pathlib import Path

from tests.conftest import Run


def test_unanswered_questions_of_the_log_are_listed(shop: Path, run_agent: Run) -> None:
    where = ("--project", str(shop))
    assert json.loads(run_agent("knowledge", "gaps", "--json", *where).stdout) == []
    asked = "do penguins dream of electric fish?\nDo penguins dream of electric fish\n"
    run_agent("chat", *where, stdin=asked + "hello\n")
    (gap,) = json.loads(run_agent("knowledge", "gaps", "--json", *where).stdout)
    assert gap["count"] == 2
    assert gap["questions"][0]["text"].lower().startswith("do penguins")
    assert run_agent("knowledge", "gaps", *where).stdout.startswith("   2  ")
    knowledge = shop / "knowledge"
    knowledge.mkdir(exist_ok=True)
    (knowledge / "penguins.md").write_text(
        "# Do penguins dream of electric fish?\n\nPenguins dream of electric fish every night.\n"
    )
    run_agent("knowledge", "index", *where)
    answered = run_agent("knowledge", "gaps", "--json", *where)
    assert json.loads(answered.stdout) == []
    assert "1 further question is answered meanwhile" in answered.stderr
