from pathlib import Path

import pytest

from knowledge.errors import InputError
from knowledge.loader import decode, knowledge_files, load_file


def load(folder: Path, name: str, data: bytes | str) -> object:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return load_file(path, folder)


def test_front_matter_becomes_title_and_metadata(documents: Path) -> None:
    document = load_file(documents / "fees.md", documents)
    assert document.title == "Fees"
    assert document.metadata == {"url": "https://example.com/fees", "tags": "costs, prices"}
    assert document.text[document.body_start :].strip() == "A transfer abroad costs two euros."


def test_the_id_is_the_path_below_the_folder(documents: Path) -> None:
    assert load_file(documents / "cards" / "block.md", documents).id == "cards/block.md"


def test_without_front_matter_the_first_heading_is_the_title(documents: Path) -> None:
    assert load_file(documents / "cards" / "block.md", documents).title == "Block a card"


def test_a_text_file_is_named_by_its_file(tmp_path: Path) -> None:
    document = load(tmp_path, "opening-hours_2026.txt", "At nine.")
    assert getattr(document, "title", None) == "Opening hours 2026"


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-bom", "latin-1", "gb18030"]
)
def test_encodings_are_told_apart(encoding: str) -> None:
    text = "Gebühren für Überweisungen: größer als fünf Euro, schön häufig. " * 4
    if encoding == "gb18030":
        text = "信用卡丢失后请立即打电话给我们，我们会马上冻结您的卡。" * 6
    data = text.encode("utf-16") if encoding == "utf-16-le-bom" else text.encode(encoding)
    assert decode(data) == text


def test_windows_line_ends_stay_for_the_offsets(tmp_path: Path) -> None:
    document = load(tmp_path, "a.md", b"# A\r\n\r\nOne.\r\n")
    assert getattr(document, "text", "") == "# A\r\n\r\nOne.\r\n"


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.md", b"PNG\0\1\2\3" * 20, "binary"),
        ("a.md", b"", "no text"),
        ("a.md", b"---\ntitle: x\n---\n  \n", "no text"),
        ("a.md", b"---\ntitle: [x\n---\nText", "front matter"),
        ("a.exe", b"MZ", ".exe"),
        ("noname", b"text", "without suffix"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path: Path, name: str, data: bytes, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        load(tmp_path, name, data)


def test_a_file_that_is_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("knowledge.loader.MAX_BYTES", 1 << 20)
    with pytest.raises(InputError, match="larger than 1 MB"):
        load(tmp_path, "a.txt", b"x" * (2 << 20))


def test_a_ruled_line_at_the_top_is_no_front_matter(tmp_path: Path) -> None:
    document = load(tmp_path, "a.md", "---\nJust text\n---\nMore")
    assert getattr(document, "body_start", None) == 0


def test_hidden_files_are_left_out_and_the_order_is_fixed(documents: Path) -> None:
    (documents / ".hidden.md").write_text("x")
    (documents / ".git").mkdir()
    (documents / ".git" / "a.md").write_text("x")
    names = [path.name for path in knowledge_files(documents)]
    assert names == ["block.md", "fees.md", "hours.txt"]
