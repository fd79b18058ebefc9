import gzip

from agent.web.widget import load_bundle


def test_the_widget_stays_under_thirty_kilobytes() -> None:
    bundle = load_bundle()
    assert len(bundle.zipped) < 30_000
    assert gzip.decompress(bundle.zipped) == bundle.plain


def test_the_widget_needs_no_other_file_and_writes_no_markup() -> None:
    script = load_bundle().plain.decode()
    for forbidden in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert forbidden not in script
    assert "import " not in script.replace("!important", "")
