"""Fonts for names in any script: those of this machine that have the letters."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text

LOG = logging.getLogger(__name__)


@contextmanager
def fitting_fonts(figure: Figure) -> Iterator[None]:
    """While a drawn figure is saved, every text has fonts with its letters, as far as this machine
    has some; a line says for which letters there is none."""
    texts = [text for text in figure.findobj(Text) if isinstance(text, Text)]
    letters = {letter for text in texts for letter in text.get_text() if letter.isprintable()}
    if missing := frozenset(letters - _letters(_usual())):
        for text in texts:
            text.set_fontfamily([*mpl.rcParams["font.family"], *_families(missing)])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        yield


@cache
def _families(missing: frozenset[str]) -> tuple[str, ...]:
    """Families that have these letters together: again and again the one that has most of those
    still missing."""
    families, left = [], set(missing)
    fonts = font_manager.fontManager.ttflist
    known = {font.name: font.fname for font in fonts if not font.name.startswith("Last Resort")}
    while left and known:
        name = max(known, key=lambda each: len(left & _letters(known[each])))
        found = left & _letters(known.pop(name))
        if not found:
            break
        left -= found
        families.append(name)
    if left:
        shown = "".join(sorted(left))
        LOG.warning("pictures: no font here has %s; install one, such as Noto Sans CJK", shown)
    return tuple(families)


def _usual() -> str:
    return font_manager.findfont(font_manager.FontProperties())


@cache
def _letters(path: str) -> frozenset[str]:
    """What a font can show; nothing where it cannot be read, or has coloured pictures only."""
    try:
        font = FT2Font(path)
    except RuntimeError:
        return frozenset()
    return frozenset(map(chr, font.get_charmap())) if font.scalable else frozenset()
