"""How a customer's words sound: a cold-start measure, kept with the event together with who measured.

Language first: VADER knows English alone, so words in another language are not measured, and unknown is
not neutral. Where the event does not say its language it is detected among the company's usual ones.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from typing import Final

from lingua import Language, LanguageDetector, LanguageDetectorBuilder
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from services.scoring.domain.texts import own_words
from services.scoring.domain.types import TextFeature
from shared.events import Event

MODEL: Final = f"vader-{version('vaderSentiment')}"
MAX_CHARACTERS: Final = 4000
"""Beyond that the mood is known, and VADER's time grows with the square of the length."""
SURE: Final = 0.6
"""Short English texts look like several languages at once: only a clear finding rules English out."""
_LANGUAGES: Final = (
    Language.ENGLISH,
    Language.GERMAN,
    Language.FRENCH,
    Language.SPANISH,
    Language.PORTUGUESE,
    Language.ITALIAN,
    Language.DUTCH,
    Language.SWEDISH,
    Language.DANISH,
    Language.BOKMAL,
    Language.FINNISH,
    Language.POLISH,
)


def feature(event: Event) -> TextFeature | None:
    """What was measured on the customer's own words; None if there are none or they are not English."""
    words = own_words(event)
    return measure(words, event.language) if words else None


def measure(words: str, language: str | None = None) -> TextFeature | None:
    """From -100 to 100 in hundredths. `language` is BCP 47; None: it is detected."""
    text = words[:MAX_CHARACTERS]
    if not _is_english(text, language):
        return None
    compound = _analyser().polarity_scores(text)["compound"]
    return TextFeature(round(compound * 100), MODEL)


def _is_english(text: str, language: str | None) -> bool:
    if language:
        return language.replace("_", "-").partition("-")[0].lower() == "en"
    ranked = _detector().compute_language_confidence_values(text)
    return ranked[0].language == Language.ENGLISH or ranked[0].value < SURE


@cache
def _detector() -> LanguageDetector:
    return LanguageDetectorBuilder.from_languages(*_LANGUAGES).with_low_accuracy_mode().build()


@cache
def _analyser() -> SentimentIntensityAnalyzer:
    return SentimentIntensityAnalyzer()
