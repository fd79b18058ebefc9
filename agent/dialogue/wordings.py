"""The few words of each language that mark a denial, a correction, a request or a farewell."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wording:
    """One language's marks; all are matched without regard to case.

    `denials` stand before a value that is not meant, `fillers` may stand between the two;
    `changes` mark a message that changes its mind; `requests` open a question or a request;
    `cancels` are whole messages that end what is under way, `manners` may stand around them;
    `refusals` are expressions for whole messages that want no more of it, `unwanted` one for
    those that do not want something they name.
    """

    denials: tuple[str, ...]
    changes: tuple[str, ...]
    requests: tuple[str, ...]
    cancels: tuple[str, ...]
    fillers: tuple[str, ...] = ()
    manners: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()
    unwanted: str = ""


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
    refusals=(
        r"(?:i|we) (?:do not|don't|dont) (?:want|wish|need)\b.* (?:any ?more|any longer)",
        r"(?:i|we) no longer (?:want|wish|need)\b.*",
        r"(?:i|we) (?:do not|don't|dont) want to (?:continue|go on|proceed|do (?:it|this))",
        r"(?:i|we)(?:'ve| have)? changed (?:my|our) minds?\b.*",
        r"(?:i|we)(?:'m| am|'re| are) (?:no longer|not) interested(?: any ?more)?",
        r"let's (?:forget|stop|drop|cancel|leave) (?:it|this|that)\b.*",
    ),
    unwanted=r"(?:i|we) (?:do not|don't|dont|would rather not|'d rather not)\b.*",
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
    refusals=(
        r"(?:ich|wir) (?:will|wollen|möchte|möchten|brauche|brauchen)\b.*"
        r"\b(?:nicht|kein\w*)\b.*\bmehr\b.*",
        r"(?:ich|wir) (?:habe|haben) (?:es mir|es uns|meine meinung).*(?:überlegt|geändert)",
        r"(?:ich|wir) (?:habe|haben) kein\w* (?:lust|interesse) mehr\b.*",
    ),
    unwanted=r"(?:ich|wir) (?:will|wollen|möchte|möchten)\b.*\b(?:nicht|kein\w*)\b.*",
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
    refusals=(
        r"(?:je ne|nous ne) (?:veux|souhaite|désire|voulons|souhaitons) plus\b.*",
        r"(?:je n'|nous n')(?:ai|avons) plus (?:envie|besoin)\b.*",
        r"(?:j'ai|nous avons) changé d'avis\b.*",
        r"(?:ça|cela) ne m'intéresse plus\b.*",
    ),
    unwanted=r"(?:je|nous) ne (?:veux|souhaite|désire|voulons|souhaitons) pas\b.*",
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
    refusals=(
        r"ya no (?:lo |la |me )?(?:quiero|deseo|necesito|interesa)\b.*",
        r"no (?:quiero|deseo) (?:seguir|continuar|hacerlo)\b.*",
        r"no (?:quiero|deseo) .*\bmás",
        r"(?:he cambiado|cambié) de (?:opinión|idea)\b.*",
    ),
    unwanted=r"no (?:quiero|deseo)\b.*",
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
    refusals=(
        r"non (?:voglio|vorrei|mi interessa|desidero) più\b.*",
        r"non (?:voglio|desidero) (?:continuare|proseguire|andare avanti|farlo)\b.*",
        r"ho cambiato idea\b.*",
    ),
    unwanted=r"non (?:voglio|vorrei|desidero)\b.*",
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
    refusals=(
        r"(?:eu )?(?:já )?n[ãa]o (?:quero|desejo|preciso)\b.* mais\b.*",
        r"(?:eu )?n[ãa]o (?:quero|desejo) (?:continuar|prosseguir|fazer isso)\b.*",
        r"mudei de (?:ideia|opinião)\b.*",
    ),
    unwanted=r"(?:eu )?n[ãa]o (?:quero|desejo)\b.*",
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
    refusals=(
        r"ik (?:wil|hoef|heb)\b.*\b(?:niet|geen)\b.*\bmeer\b.*",
        r"ik wil (?:niet|hier niet) (?:verder|doorgaan)\b.*",
        r"ik heb me bedacht\b.*",
    ),
    unwanted=r"ik wil\b.*\b(?:niet|geen)\b.*",
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
    refusals=(r"(?:我|我们)?(?:不想|不要|不需要).*了", r"我改变?主意了.*"),
    unwanted=r"(?:我|我们)?(?:不想|不要|不需要).*",
)

BY_LANGUAGE = {
    "en": ENGLISH,
    "de": GERMAN,
    "fr": FRENCH,
    "es": SPANISH,
    "it": ITALIAN,
    "pt": PORTUGUESE,
    "nl": DUTCH,
    "zh": CHINESE,
}
