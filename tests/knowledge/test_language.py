import pytest

from knowledge.language import detect


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Open the app, choose the card and press Block.", "en"),
        ("Öffnen Sie die App, wählen Sie die Karte und sperren Sie sie.", "de"),
        ("请打开应用程序，选择银行卡，然后点击冻结。", "zh"),
        ("Abra la aplicación, elija la tarjeta y pulse bloquear.", "es"),
    ],
)
def test_languages_are_told_apart(text: str, language: str) -> None:
    assert detect(text) == language


@pytest.mark.parametrize("text", ["", "Card", "12 345 678 901 234 567 890 123", "🙂" * 50])
def test_too_little_text_has_no_language(text: str) -> None:
    assert detect(text) == ""
