import pypdf
import pypdf.errors
import pytest

from knowledge.errors import InputError
from knowledge.rich_files import docx_to_markdown, html_to_markdown, pdf_pages
from tests.knowledge.rich_documents import PAGE, docx, pdf


def test_a_page_becomes_markdown_without_what_stands_around_its_content() -> None:
    text, _ = html_to_markdown(PAGE.encode())
    assert "# Fees" in text
    assert "## Cards" in text
    assert "A transfer abroad costs **two**" in text
    assert "| Gold | 5 |" in text
    for around in ("Home", "Imprint", "track"):
        assert around not in text


def test_a_pages_title_address_language_and_tags_are_kept() -> None:
    assert html_to_markdown(PAGE.encode())[1] == {
        "title": "Fees and charges",
        "url": "https://bank.test/fees",
        "lang": "en",
        "tags": "costs, prices",
    }


def test_a_page_says_its_own_encoding() -> None:
    data = '<meta charset="gb18030"><p>信用卡丢失</p>'.encode("gb18030")
    assert html_to_markdown(data)[0].strip() == "信用卡丢失"


def test_a_heading_in_the_pages_header_stays() -> None:
    page = b"<body><header><h1>Fees</h1></header><p>Two euros.</p></body>"
    assert "# Fees" in html_to_markdown(page)[0]


def test_a_broken_page_gives_what_can_be_read() -> None:
    assert (
        html_to_markdown(b"<p>One <b>two<div>three</p><table><tr>")[0].split()
        == [
            "One",
            "**two**",
            "three",
        ]
        or "three" in html_to_markdown(b"<p>One <b>two<div>three</p><table><tr>")[0]
    )


def test_a_deeply_nested_page_is_refused_with_a_reason() -> None:
    with pytest.raises(InputError, match="nested too deeply"):
        html_to_markdown(b"<div>" * 20_000 + b"x")


def test_a_word_document_keeps_its_headings() -> None:
    data = docx(("Heading1", "Fees"), ("", "Two euros."), ("Heading2", "Cards"), ("", "Five."))
    assert docx_to_markdown(data).split("\n\n") == ["# Fees", "Two euros.", "## Cards", "Five.\n"]


def test_a_word_document_s_title_is_its_first_heading() -> None:
    data = docx(("Title", "Bicycle repair"), ("Heading1", "Punctures"), ("", "Eleven euros."))
    assert docx_to_markdown(data).startswith("# Bicycle repair\n\n# Punctures\n")


def test_a_table_without_a_header_begins_with_its_first_row() -> None:
    rows = "<tr><td>Service</td><td>Price</td></tr><tr><td>Truing</td><td>18</td></tr>"
    text, _ = html_to_markdown(f"<body><table>{rows}</table></body>".encode())
    assert text.splitlines() == ["| Service | Price |", "| --- | --- |", "| Truing | 18 |"]


@pytest.mark.parametrize("data", [b"", b"PK\3\4 broken", docx(("", "x"))[:200], b"\0" * 99])
def test_a_broken_word_document_is_refused_with_a_reason(data: bytes) -> None:
    with pytest.raises(InputError, match="not a readable DOCX"):
        docx_to_markdown(data)


def test_a_word_document_that_unpacks_to_too_much_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("knowledge.rich_files.MAX_UNPACKED", 1 << 20)
    with pytest.raises(InputError, match="more than 1 MB"):
        docx_to_markdown(docx(("", "x" * (2 << 20))))


def test_a_pdf_gives_the_text_of_each_page_and_its_title() -> None:
    pages, metadata = pdf_pages(pdf("Two euros.", "Five euros.", title="Fees"))
    assert [page.strip() for page in pages] == ["Two euros.", "Five euros."]
    assert metadata == {"title": "Fees"}


@pytest.mark.parametrize("data", [b"", b"%PDF-1.4 broken", b"\0" * 99])
def test_a_broken_pdf_is_refused_with_a_reason(data: bytes) -> None:
    with pytest.raises(InputError, match="not a readable PDF"):
        pdf_pages(data)


def test_a_pdf_whose_cipher_is_missing_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: object) -> None:
        raise pypdf.errors.DependencyError("cryptography>=3.1 is required for AES algorithm")

    monkeypatch.setattr(pypdf, "PdfReader", refuse)
    with pytest.raises(InputError, match="pip install cryptography"):
        pdf_pages(pdf("Two euros."))
