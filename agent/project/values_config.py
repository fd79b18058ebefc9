"""Which values a project asks for: its Duckling and spaCy extractors in `config.yml`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, Self, TypeGuard
from zoneinfo import ZoneInfo

EXTRACTORS = ("DucklingEntityExtractor", "DucklingHTTPExtractor")
IBAN = "iban"
DIMENSIONS = (
    "time",
    "duration",
    "number",
    "ordinal",
    "amount-of-money",
    "email",
    "phone-number",
    "url",
    "distance",
    "quantity",
    "temperature",
    "volume",
    "credit-card-number",
)
SPACY_EXTRACTOR = "SpacyEntityExtractor"
SPACY_VALUES = {
    "PERCENT": ("number",),
    "MONEY": ("amount-of-money",),
    "QUANTITY": ("distance", "quantity", "temperature", "volume"),
    "TIME": ("time", "duration"),
    "DATE": ("time", "duration"),
    "ORDINAL": ("ordinal",),
    "CARDINAL": ("number",),
}
"""SpaCy's labels that name values, and the dimensions they are made of; the first goes before."""
# Duckling's `Lang` type.
_CODES = (
    "AF AR BG BN CA CS DA DE EL EN ES ET FA FI FR GA HE HI HR HU ID IS IT JA KA KM KN KO LO ML MN "
    "MY NB NE NL PL PT RO RU SK SV SW TA TE TH TR UK VI ZH"
)
LANGUAGES = frozenset(_CODES.split())
DEFAULT_ZONE = "America/Los_Angeles"
"""What Duckling's own server takes where no zone is named (its exe/ExampleMain.hs)."""


@dataclass(frozen=True, slots=True)
class ValuesConfig:
    """What is looked for and how it is read.

    `dimensions` are Duckling's and our `iban`; `locale` is like `DE` or `EN_GB`; `timezone` is
    an IANA name. `normalize` maps an entity label of the project to the dimension that its spans
    are read as. `spacy` are the labels under which spaCy's extractor would find values.
    """

    dimensions: tuple[str, ...] = DIMENSIONS
    locale: str = "EN"
    timezone: str = DEFAULT_ZONE
    normalize: Mapping[str, str] = field(default_factory=dict)
    spacy: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As a model folder stores it."""
        return {
            "dimensions": list(self.dimensions),
            "locale": self.locale,
            "timezone": self.timezone,
            "normalize": dict(self.normalize),
            "spacy": list(self.spacy),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """As `to_json` wrote it."""
        return cls(
            tuple(data["dimensions"]),
            data["locale"],
            data["timezone"],
            dict(data["normalize"]),
            tuple(data.get("spacy", ())),
        )


def read_values(pipeline: Sequence[Mapping[str, Any]], language: str) -> ValuesConfig | None:
    """What a pipeline asks for, None if it has no such extractor; what is wrong is left out."""
    options = next((part for part in pipeline if part.get("name") in EXTRACTORS), None)
    spacy = _spacy_labels(pipeline)
    if options is None:
        return ValuesConfig((), _locale({}, language), spacy=spacy) if spacy else None
    asked = options.get("dimensions")
    listed = asked if isinstance(asked, list) else []
    known = tuple(name for name in listed if name in (*DIMENSIONS, IBAN))
    zone = options.get("timezone")
    return ValuesConfig(
        dimensions=known if asked else DIMENSIONS,
        locale=_locale(options, language),
        timezone=zone if is_zone(zone) else DEFAULT_ZONE,
        normalize={
            str(label): name
            for label, name in _mapping(options.get("normalize")).items()
            if name in DIMENSIONS
        },
        spacy=spacy,
    )


def _spacy_labels(pipeline: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The labels of values that spaCy's extractor is asked for: all, if it names none."""
    options = next((part for part in pipeline if part.get("name") == SPACY_EXTRACTOR), None)
    asked = None if options is None else options.get("dimensions") or list(SPACY_VALUES)
    return tuple(n for n in SPACY_VALUES if n in (asked if isinstance(asked, list) else ()))


def check_spacy(options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What of the options of spaCy's extractor cannot be served, as (key, message)."""
    asked = options.get("dimensions")
    served = ", ".join(SPACY_VALUES)
    instead = "annotate examples or add a lookup for them"
    if not asked:
        yield (
            "name",
            f"of spaCy's entities only values are extracted ({served}), no PERSON, ORG, GPE …: "
            f"{instead}, and name those that you need under `dimensions`",
        )
    elif not isinstance(asked, list):
        yield "dimensions", f"must be a list, not {asked!r}: no entity of spaCy's is extracted"
    elif missing := [str(name) for name in asked if name not in SPACY_VALUES]:
        yield "dimensions", f"{_spacys(missing)} not extracted ({served} are): {instead}"
    if _spacy_labels([{**options, "name": SPACY_EXTRACTOR}]):
        yield from _check_package()


def _spacys(labels: Sequence[str]) -> str:
    return f"spaCy's {', '.join(labels)} {'is' if len(labels) == 1 else 'are'}"


def check_values(options: Mapping[str, Any], language: str) -> Iterator[tuple[str, str]]:
    """What of an extractor's options cannot be served, as (key, message)."""
    asked = options.get("dimensions")
    if asked is not None and not isinstance(asked, list):
        yield "dimensions", f"must be a list, not {asked!r}: all dimensions are found"
    for name in asked if isinstance(asked, list) else ():
        if name not in (*DIMENSIONS, IBAN):
            known = ", ".join((*DIMENSIONS, IBAN))
            yield "dimensions", f"{name!r} is not found; known are {known}"
    zone = options.get("timezone")
    if zone is not None and not is_zone(zone):
        yield "timezone", f"{zone!r} is no time zone like Europe/Berlin: {DEFAULT_ZONE} is used"
    locale = _locale(options, language)
    if locale.partition("_")[0] not in LANGUAGES:
        yield "locale", f"Duckling does not read {locale!r}: values are read as English"
    for label, name in _mapping(options.get("normalize")).items():
        if name not in DIMENSIONS:
            known = ", ".join(DIMENSIONS)
            yield "normalize", f"{label!r} cannot be read as {name!r}; known are {known}"
    yield from _check_package()


def _check_package() -> Iterator[tuple[str, str]]:
    if find_spec("duckling") is None:
        yield (
            "name",
            (
                "Duckling's values are not found on this machine: there is no package "
                "pyduckling-native-phihos (it is made for Linux on x86-64 and macOS on arm64)"
            ),
        )


def is_zone(name: object) -> TypeGuard[str]:
    """Whether this is the name of a time zone that this machine knows."""
    try:
        return isinstance(name, str) and bool(name) and ZoneInfo(name) is not None
    except (KeyError, OSError, ValueError):  # not found is a KeyError, paths give the others
        return False


def _locale(options: Mapping[str, Any], language: str) -> str:
    named = options.get("locale")
    return str(named or language or "en").replace("-", "_").upper()


def _mapping(value: object) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}
