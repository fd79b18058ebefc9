"""`agent recommend` as its user runs it."""

import json
from pathlib import Path

from tests.agent.recommend.shelves import write_items
from tests.conftest import Run

EVENTS = "user,item,kind\nanna,space1,like\nanna,space2,like\nanna,gone,like\nanna,,like\n"


def test_behaviour_is_taken_in_and_acts_on_the_next_request(run_agent: Run, tmp_path: Path) -> None:
    root = write_items(tmp_path / "shop")
    (root / "events.csv").write_text(EVENTS)
    project = ("--project", str(root), "--json")
    done = run_agent("recommend", "--events", str(root / "events.csv"), *project)
    assert json.loads(done.stdout) == {"read": 3, "added": 3, "unknown_items": 1}
    assert "events.csv:5" in done.stderr
    assert "no such item for 1 of 3 events, such as 'gone'" in done.stderr
    found = json.loads(run_agent("recommend", "anna", "-k", "3", *project).stdout)
    assert [one["id"].startswith("space") for one in found] == [True] * 3
    assert found[0]["reason"].startswith("because you liked Space")
    for wish, told in (("--like=nosuch", "no item 'nosuch'"), ("--fact=bogus=1", "bogus=1")):
        refused = run_agent("recommend", "anna", wish, *project)
        assert (refused.returncode, told in refused.stderr) == (2, True)
    forgotten = run_agent("recommend", "anna", "--forget", *project)
    assert json.loads(forgotten.stdout)["forgotten"] == 3


def test_wrong_use_is_told_in_one_line(run_agent: Run, tmp_path: Path) -> None:
    for arguments in ((), ("anna",), ("anna", "--fact", "x"), ("--events", "gone.csv")):
        done = run_agent("recommend", *arguments, "--project", str(tmp_path))
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


def test_little_behaviour_teaches_nothing(run_agent: Run, tmp_path: Path) -> None:
    root = write_items(tmp_path / "shop")
    done = run_agent("learn-recommender", "--project", str(root), "--json")
    assert json.loads(done.stdout)["decision"] == "nothing to learn"


def test_somebody_unknown_is_given_something_to_begin_with(run_agent: Run, tmp_path: Path) -> None:
    root = write_items(tmp_path / "shop")
    done = run_agent("recommend", "anna", "-k", "1", "--project", str(root))
    assert "(something to begin with)" in done.stdout
    done = run_agent("recommend", "anna", "--text", "over 900 pages", "--project", str(root))
    assert (done.returncode, done.stdout) == (0, "Nothing to suggest.\n")
    assert "no item fits" in done.stderr
