"""Small HTML, DOCX and PDF files, made by hand."""

import io
import zipfile

PAGE = """<!doctype html><html lang="en-GB"><head><title>Fees and
 charges</title><link rel="canonical" href="https://bank.test/fees">
<meta name="keywords" content="costs, prices"><script>track()</script></head>
<body><nav><a href="/">Home</a></nav><main><h1>Fees</h1><p>A transfer abroad costs <b>two</b>
euros.</p><h2>Cards</h2><table><tr><th>Card</th><th>Fee</th></tr><tr><td>Gold</td><td>5</td></tr>
</table></main><footer>Imprint</footer></body></html>"""

CONTENT_TYPES = """<?xml version="1.0"?><Types
 xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels"
 ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override
 PartName="/word/document.xml" ContentType=
 "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>"""
RELATIONS = """<?xml version="1.0"?><Relationships
 xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type=
 "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
 Target="word/document.xml"/></Relationships>"""
DOCUMENT = """<?xml version="1.0"?><w:document
 xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>{}</w:body>
</w:document>"""
PARAGRAPH = "<w:p>{}<w:r><w:t>{}</w:t></w:r></w:p>"
STYLE = '<w:pPr><w:pStyle w:val="{}"/></w:pPr>'


def docx(*paragraphs: tuple[str, str]) -> bytes:
    """A Word document of paragraphs, each with its style (`Heading1`) and text."""
    body = "".join(
        PARAGRAPH.format(STYLE.format(style) if style else "", text) for style, text in paragraphs
    )
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("[Content_Types].xml", CONTENT_TYPES)
        archive.writestr("_rels/.rels", RELATIONS)
        archive.writestr("word/document.xml", DOCUMENT.format(body))
    return data.getvalue()


def pdf(*pages: str, title: str = "") -> bytes:
    """A PDF with one line of text a page."""
    fonts = "<< /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
    numbers = [4 + 2 * place for place in range(len(pages))]
    kids = " ".join(f"{number} 0 R" for number in numbers)
    objects = {
        1: "<< /Type /Catalog /Pages 2 0 R >>",
        2: f"<< /Type /Pages /Count {len(pages)} /Kids [{kids}] >>",
        3: f"<< /Title ({title}) >>",
    }
    for number, text in zip(numbers, pages, strict=True):
        drawn = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET"
        objects[number] = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources {fonts} "
            f"/Contents {number + 1} 0 R >>"
        )
        objects[number + 1] = f"<< /Length {len(drawn)} >>\nstream\n{drawn}\nendstream"
    return _joined(objects)


def _joined(objects: dict[int, str]) -> bytes:
    data, offsets = "%PDF-1.4\n", []
    for number in sorted(objects):
        offsets.append(len(data))
        data += f"{number} 0 obj\n{objects[number]}\nendobj\n"
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    end = f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R /Info 3 0 R >>\n"
    start = f"startxref\n{len(data)}\n%%EOF\n"
    head = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n"
    return (data + head + table + end + start).encode("latin-1")
