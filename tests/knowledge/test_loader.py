from pathlib import Path

import pytest

from knowledge.encoding import decode
from knowledge.errors import InputError
from knowledge.loader import file_name, knowledge_files, load_file
from knowledge.passage import Document
from tests.knowledge.rich_documents import PAGE, docx, pdf


def load(folder: Path, name: str, data: bytes | str) -> Document:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return read(path, folder)


def read(path: Path, folder: Path) -> Document:
    (document,) = load_file(path, file_name(path, folder)).documents
    return document


def test_front_matter_becomes_title_and_metadata(documents: Path) -> None:
    document = read(documents / "fees.md", documents)
    assert document.title == "Fees"
    assert document.metadata == {
        "url": "https://example.com/fees",
        "tags": "costs, prices",
        "language": "en",
    }
    assert document.text[document.body_start :].strip() == "A transfer abroad costs two euros."


def test_the_id_is_the_path_below_the_folder(documents: Path) -> None:
    assert read(documents / "cards" / "block.md", documents).id == "cards/block.md"


def test_without_front_matter_the_first_heading_is_the_title(documents: Path) -> None:
    assert read(documents / "cards" / "block.md", documents).title == "Block a card"


def test_a_text_file_is_named_by_its_file(tmp_path: Path) -> None:
    document = load(tmp_path, "opening-hours_2026.txt", "At nine.")
    assert document.title == "Opening hours 2026"


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "gb18030"],
)
def test_encodings_are_told_apart(encoding: str) -> None:
    text = "Gebühren für Überweisungen: größer als fünf Euro, schön häufig. " * 4
    if encoding == "gb18030":
        text = "信用卡丢失后请立即打电话给我们，我们会马上冻结您的卡。" * 6
    assert decode(text.encode(encoding)) == text


def test_windows_line_ends_stay_for_the_offsets(tmp_path: Path) -> None:
    document = load(tmp_path, "a.md", b"# A\r\n\r\nOne.\r\n")
    assert document.text == "# A\r\n\r\nOne.\r\n"


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.md", b"PNG\0\1\2\3" * 20, "binary"),
        ("a.md", b"\0\1\0\2" * 20, "binary"),
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
    assert document.body_start == 0


def test_hidden_files_are_left_out_and_the_order_is_fixed(documents: Path) -> None:
    (documents / ".hidden.md").write_text("x")
    (documents / ".git").mkdir()
    (documents / ".git" / "a.md").write_text("x")
    names = [path.name for path in knowledge_files(documents)]
    assert names == ["block.md", "fees.md", "hours.txt"]


def test_a_page_a_word_document_and_a_table_are_read(tmp_path: Path) -> None:
    page = load(tmp_path, "a.html", PAGE)
    assert (page.title, page.metadata["language"]) == ("Fees and charges", "en")
    assert load(tmp_path, "b.docx", docx(("Heading1", "Limits"), ("", "Ten."))).title == "Limits"
    assert load(tmp_path, "c.csv", "question,answer\nWho?,We.").question == "Who?"


def test_each_page_of_a_pdf_is_a_document_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "fee-list.pdf").write_bytes(pdf("Two euros.", "", "Five euros."))
    documents = load_file(tmp_path / "fee-list.pdf", "fee-list.pdf").documents
    assert [(one.id, one.title) for one in documents] == [
        ("fee-list.pdf#page=1", "Fee list (page 1)"),
        ("fee-list.pdf#page=3", "Fee list (page 3)"),
    ]


def test_an_author_names_the_language(tmp_path: Path) -> None:
    text = "---\nlanguage: nl\n---\nThis is an English sentence with some words."
    assert load(tmp_path, "a.md", text).metadata == {"language": "nl"}


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("link: https://a.test", "https://a.test"),
        ("link: b\nurl: https://c.test", "https://c.test"),
    ],
)
def test_a_link_is_the_address_of_a_document(tmp_path: Path, given: str, url: str) -> None:
    document = load(tmp_path, "a.md", f"---\n{given}\n---\nText.\n")
    assert document.metadata["url"] == url
