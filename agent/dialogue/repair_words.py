"""The few words of each language that mark a denial, a correction, a request or a farewell."""

import re
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class Wording:
    """One language's marks; all are matched without regard to case.

    `denials` stand before a value that is not meant, `fillers` may stand between the two;
    `changes` mark a message that changes its mind; `requests` open a question or a request;
    `cancels` are whole messages that end what is under way, `manners` may stand around them.
    """

    denials: tuple[str, ...]
    changes: tuple[str, ...]
    requests: tuple[str, ...]
    cancels: tuple[str, ...]
    fillers: tuple[str, ...] = ()
    manners: tuple[str, ...] = ()


ENGLISH = Wording(
    denials=("not", "don't", "isn't", "wasn't", "instead of", "rather than", "no longer"),
    changes=(
        *("actually", "instead", "rather", "make it", "make that", "change it", "change that"),
        *("change the", "i meant", "i mean", "sorry", "correction", "wait", "on second thought"),
    ),
    requests=(
        *("what", "what's", "which", "who", "when", "where", "why", "how", "can", "could", "do"),
        *("does", "is", "are", "will", "would", "should", "may", "show", "tell", "give", "let me"),
        *("i want", "i need", "i'd like", "i would like", "please", "help"),
    ),
    cancels=(
        *("cancel", "cancel it", "cancel that", "cancel this", "stop", "stop it", "abort", "quit"),
        *("exit", "forget it", "forget about it", "forget that", "never mind", "nevermind"),
        *("leave it", "drop it", "scrap that", "let's stop", "let's stop here", "i give up"),
        *("cancel everything", "cancel the whole thing", "i don't want to", "i don't want this"),
        *("i'd rather not", "i want to cancel", "i want to stop", "i'd like to cancel"),
        *("i would like to cancel", "can we stop", "can you stop", "can you cancel that"),
    ),
    fillers=("from", "to", "for", "at", "in", "on", "of", "with", "the", "my", "a", "an", "it"),
    manners=(
        *("please", "ok", "okay", "oh", "no", "well", "just", "then", "now", "sorry", "thanks"),
        *("thank you", "actually", "anymore", "any more", "any longer", "wait", "hey", "and"),
    ),
)

GERMAN = Wording(
    denials=("nicht", "kein", "keine", "keinen", "statt", "anstatt", "anstelle von"),
    changes=(
        "doch",
        "lieber",
        "eigentlich",
        "ich meinte",
        "sorry",
        "moment",
        "ändere",
        "stattdessen",
    ),
    requests=(
        *("was", "welche", "welcher", "welches", "wer", "wann", "wo", "warum", "wie", "kann"),
        *("können", "könnte", "ist", "sind", "zeig", "zeige", "sag", "ich möchte", "ich will"),
        *("ich brauche", "bitte", "hilfe"),
    ),
    cancels=("abbrechen", "abbruch", "stopp", "vergiss es", "lass es", "egal", "doch nicht"),
    fillers=("von", "vom", "zu", "zum", "zur", "an", "am", "auf", "in", "im", "der", "die", "das"),
    manners=("bitte", "ok", "okay", "ach", "nein", "danke", "jetzt", "mehr", "dann", "nun"),
)

FRENCH = Wording(
    denials=("pas", "plutôt que", "au lieu de", "non pas"),
    changes=("plutôt", "en fait", "finalement", "je voulais dire", "pardon", "change", "changez"),
    requests=(
        *("que", "quel", "quelle", "quels", "qui", "quand", "où", "pourquoi", "comment", "combien"),
        *("est-ce", "peux-tu", "pouvez-vous", "montre", "montrez", "je veux", "je voudrais"),
        *("j'aimerais", "aide"),
    ),
    cancels=(
        "annuler",
        "annule",
        "annulez",
        "stop",
        "arrête",
        "arrêtez",
        "laisse tomber",
        "oublie",
    ),
    fillers=("de", "du", "des", "à", "au", "le", "la", "les", "mon", "ma", "pour"),
    manners=("s'il vous plaît", "s'il te plaît", "svp", "ok", "non", "merci", "bon", "tout"),
)

SPANISH = Wording(
    denials=("no", "en vez de", "en lugar de"),
    changes=("mejor", "en realidad", "quise decir", "quería decir", "perdón", "cambia", "cámbialo"),
    requests=(
        *("qué", "que", "cuál", "quién", "cuándo", "dónde", "por qué", "cómo", "cuánto", "puedes"),
        *("puede", "muestra", "muéstrame", "dime", "quiero", "quisiera", "necesito", "ayuda"),
    ),
    cancels=("cancelar", "cancela", "para", "olvídalo", "olvidalo", "déjalo", "dejalo", "salir"),
    fillers=("de", "del", "a", "al", "el", "la", "los", "las", "mi", "para"),
    manners=("por favor", "ok", "vale", "no", "gracias", "bueno", "todo"),
)

ITALIAN = Wording(
    denials=("non", "invece di", "al posto di"),
    changes=("invece", "anzi", "in realtà", "volevo dire", "intendevo", "scusa", "cambia"),
    requests=(
        *("che", "cosa", "quale", "chi", "quando", "dove", "perché", "come", "quanto", "puoi"),
        *("può", "mostra", "mostrami", "dimmi", "voglio", "vorrei", "aiuto"),
    ),
    cancels=("annulla", "annullare", "basta", "lascia perdere", "lascia stare", "esci", "stop"),
    fillers=("da", "dal", "di", "a", "al", "il", "la", "i", "le", "mio", "mia", "per"),
    manners=("per favore", "ok", "no", "grazie", "va bene", "tutto"),
)

PORTUGUESE = Wording(
    denials=("não", "nao", "em vez de", "ao invés de"),
    changes=("na verdade", "melhor", "aliás", "quis dizer", "desculpa", "desculpe", "muda", "mude"),
    requests=(
        *("que", "qual", "quem", "quando", "onde", "por que", "como", "quanto", "pode", "mostra"),
        *("mostre", "diga", "quero", "queria", "gostaria", "preciso", "ajuda"),
    ),
    cancels=("cancelar", "cancela", "cancele", "para", "esquece", "esqueça", "deixa", "sair"),
    fillers=("de", "da", "do", "a", "ao", "o", "os", "as", "meu", "minha", "para"),
    manners=("por favor", "ok", "não", "obrigado", "obrigada", "tudo"),
)

DUTCH = Wording(
    denials=("niet", "geen", "in plaats van"),
    changes=(
        "liever",
        "eigenlijk",
        "toch",
        "ik bedoelde",
        "ik bedoel",
        "sorry",
        "verander",
        "wacht",
    ),
    requests=(
        *("wat", "welke", "wie", "wanneer", "waar", "waarom", "hoe", "kan", "kunt", "is", "zijn"),
        *("toon", "laat", "ik wil", "graag", "help"),
    ),
    cancels=("annuleren", "annuleer", "stop", "laat maar", "vergeet het", "hou op"),
    fillers=("van", "naar", "de", "het", "een", "mijn", "voor", "op", "in"),
    manners=("alsjeblieft", "alstublieft", "ok", "oké", "nee", "bedankt", "maar", "nu"),
)

CHINESE = Wording(
    denials=("不是", "不要", "而不是", "别"),
    changes=("改成", "改为", "换成", "其实", "我是说", "不对", "应该是"),
    requests=(
        "什么",
        "怎么",
        "为什么",
        "哪",
        "谁",
        "多少",
        "几",
        "请",
        "我要",
        "我想",
        "能不能",
        "帮我",
    ),
    cancels=("取消", "算了", "停止", "不用了", "退出"),
)

_BY_LANGUAGE = {
    "en": ENGLISH,
    "de": GERMAN,
    "fr": FRENCH,
    "es": SPANISH,
    "it": ITALIAN,
    "pt": PORTUGUESE,
    "nl": DUTCH,
    "zh": CHINESE,
}
_MAX_FILLERS = 2
_ENDS = " .!,。！"
_LONGEST_CANCEL = 80
_LEADING = re.compile(r"[^\w/]+")


@dataclass(frozen=True, slots=True)
class Marks:
    """A language's wording, ready to look for in a text."""

    _denial: re.Pattern[str]
    _change: re.Pattern[str]
    _request: re.Pattern[str]
    _cancels: frozenset[str]
    _manners: re.Pattern[str]

    def denies(self, before: str) -> bool:
        """Whether what stands before a value says that it is not meant.

        >>> marks_of("en").denies("send 50, not from my ")
        True
        >>> marks_of("en").denies("I'm not sure, ")
        False
        """
        return self._denial.search(before) is not None

    def changes(self, text: str) -> bool:
        """Whether a message says that it changes its mind."""
        return self._change.search(text) is not None

    def requests(self, text: str) -> bool:
        """Whether a message asks for something: a question, or the beginning of a request."""
        asks = text.rstrip().endswith(("?", "？", "؟", "吗"))
        return asks or self._request.match(text.lstrip(" ¿¡\"'")) is not None

    def cancels(self, text: str) -> bool:
        """Whether the whole message does nothing but end what is under way.

        >>> marks_of("en").cancels("oh no, forget it please"), marks_of("en").cancels("a stop sign")
        (True, False)
        """
        plain = " ".join(text.casefold().replace("\u2019", "'").split()).strip(_ENDS)
        if len(plain) > _LONGEST_CANCEL:
            return False
        return plain in self._cancels or self._manners.sub("", plain) in self._cancels


@cache
def marks_of(language: str) -> Marks:
    """The marks of a language (`de`, `de-AT`); English where there are none for it."""
    wording = _BY_LANGUAGE.get(language.casefold().replace("_", "-").partition("-")[0], ENGLISH)
    fillers = _any_of(wording.fillers)
    between = rf"(?:{fillers}\s+){{0,{_MAX_FILLERS}}}" if fillers else ""
    return Marks(
        re.compile(rf"{_any_of(wording.denials)}\s*{between}[€$£¥]?\s*$", re.IGNORECASE),
        re.compile(_any_of(wording.changes), re.IGNORECASE),
        re.compile(_any_of(wording.requests), re.IGNORECASE),
        frozenset((*wording.cancels, *ENGLISH.cancels)),
        _around((*wording.manners, *ENGLISH.manners)),
    )


def _around(words: tuple[str, ...]) -> re.Pattern[str]:
    """A pattern for words at the beginning and at the end of a text."""
    some = rf"(?:{_any_of(words)}[\s,.!]*)+"
    return re.compile(rf"^{some}|[\s,.!]+{some}$")


def _any_of(words: tuple[str, ...]) -> str:
    """A pattern for one of the words, as whole words where they are written in letters."""
    if not words:
        return ""
    longest_first = sorted(words, key=len, reverse=True)
    found = "|".join(re.escape(word) for word in longest_first)
    # Chinese is written without spaces: its words have no boundaries.
    whole = words[0][0].isascii()
    return rf"(?<!\w)(?:{found})(?!\w)" if whole else f"(?:{found})"


__all__ = ["Marks", "marks_of"]
