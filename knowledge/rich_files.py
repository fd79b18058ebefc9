"""HTML, DOCX and PDF files as Markdown or text.   [door: bs4, markdownify, mammoth, pypdf]."""

import io
import logging
import re
import warnings
import zipfile
from collections.abc import Mapping
from typing import Any

import bs4
import mammoth
import markdownify
import pypdf
import pypdf.errors

from knowledge.errors import InputError

# What surrounds a page's content and is the same on every page.
AROUND = ("script", "style", "noscript", "template", "nav", "header", "footer", "aside", "form")
AROUND_ROLES = re.compile(r"navigation|banner|contentinfo|search")
EMPTY_LINES = re.compile(r"\n{3,}")
# A small file can unpack to one that fills the memory.
MAX_UNPACKED = 256 * 1024 * 1024
# The parser knows headings, but not the title of a document.
STYLES = "p[style-name='Title'] => h1:fresh\np.Title => h1:fresh"
# What is wrong with a file is told in one line, by us.
logging.getLogger("pypdf").setLevel(logging.CRITICAL)


def html_to_markdown(data: bytes) -> tuple[str, dict[str, str]]:
    """The main content of a page, and its title, address, language and tags, where it has them.

    Menus, headers, footers and scripts are left out; encodings are told as browsers do.

    Raises:
        InputError: these bytes are no page.
    """
    if b"\0" in data[:8192] and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError("is binary, not text")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # guesses about what the bytes could else be
            page = bs4.BeautifulSoup(data, "html.parser")
        metadata = _page_metadata(page)
        for element in [*page.find_all(AROUND), *page.find_all(role=AROUND_ROLES)]:
            # A page's heading often stands in its header.
            if element.name != "header" or not element.find("h1"):
                element.decompose()
        main = page.find("main") or page.find("article") or page.body or page
        return _markdown_of(main), metadata
    except RecursionError as error:
        raise InputError("its elements are nested too deeply") from error


def docx_to_markdown(data: bytes) -> str:
    """The text of a Word document with its headings, lists and tables.

    Raises:
        InputError: damaged, or no DOCX file.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MAX_UNPACKED:
                raise InputError(f"unpacks to more than {MAX_UNPACKED >> 20} MB")
        # Pictures would come as long lines of letters.
        without = mammoth.images.img_element(lambda _: {})
        html = mammoth.convert_to_html(
            io.BytesIO(data), convert_image=without, style_map=STYLES
        ).value
    except InputError:
        raise
    except Exception as error:  # the parser fails on damaged files in many ways
        raise InputError(f"is not a readable DOCX file ({_reason(error)})") from error
    return _markdown_of(bs4.BeautifulSoup(html, "html.parser"))


def pdf_pages(data: bytes) -> tuple[list[str], dict[str, str]]:
    """The text of each page, and the file's title and author, where it names them.

    Raises:
        InputError: damaged, or locked with a password.
    """
    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise InputError("is locked with a password")
        pages = [page.extract_text() or "" for page in reader.pages]
        return pages, _pdf_metadata(reader.metadata or {})
    except InputError:
        raise
    except pypdf.errors.DependencyError as error:
        message = "is encrypted with AES: pip install cryptography lets it be read"
        raise InputError(message) from error
    except Exception as error:  # the parser fails on damaged files in many ways
        raise InputError(f"is not a readable PDF file ({_reason(error)})") from error


def _page_metadata(page: bs4.BeautifulSoup) -> dict[str, str]:
    root, link = page.find("html"), page.find("link", rel="canonical")
    found = {
        "title": page.title.get_text(" ", strip=True) if page.title else "",
        "url": link.get("href") if link else "",
        "lang": str(root.get("lang") or "").partition("-")[0] if root else "",
        "tags": _meta(page, "keywords"),
        "author": _meta(page, "author"),
    }
    return {key: " ".join(str(value).split()) for key, value in found.items() if value}


def _meta(page: bs4.BeautifulSoup, name: str) -> str:
    element = page.find("meta", attrs={"name": name})
    return str(element.get("content") or "") if element else ""


def _markdown_of(element: Any) -> str:
    text = markdownify.MarkdownConverter(
        heading_style=markdownify.ATX,
        strip=["img"],
        escape_underscores=False,
        bullets="-",
        table_infer_header=True,
    ).convert_soup(element)
    lines = (line.rstrip() for line in text.splitlines())
    return EMPTY_LINES.sub("\n\n", "\n".join(lines)).strip() + "\n"


def _pdf_metadata(facts: Mapping[str, Any]) -> dict[str, str]:
    found = {"title": facts.get("/Title"), "author": facts.get("/Author")}
    return {key: str(value).strip() for key, value in found.items() if str(value or "").strip()}


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:120] or type(error).__name__
