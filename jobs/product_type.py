"""The product type of a title: `SET OF 3 RED RETROSPOT CAKE TINS` is a `TIN`.

Shop titles name the product with one of their last words; sizes, colours, materials, patterns and
occasions stand around it, and what follows `IN`, `WITH` or `FOR` is beside the point. So the head of a
title is its last word, plural folded, that does not merely describe. Words that head enough titles of the
catalogue are its product types, and a title's type is the last of them in it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Final

UNKNOWN_TYPE: Final = "?"
LEAST_TITLES: Final = 5
"""Titles that a word must head to be a product type."""

_COUNT: Final = re.compile(
    r"^\W*(?:(?:SET|PACK|BOX|S)\s*(?:/|OF)?\s*\d+\b|\d+\s*(?:PC|PIECE|PCE)?\b)\W*(?:OF\b)?"
)
_ASIDE: Final = re.compile(r"\s(?:IN|WITH|WITHOUT|FOR|ON|FROM|W)\b")
_WORD: Final = re.compile(r"[A-Z]+(?:-[A-Z]+)*")

_COLOURS = """
    AMBER AQUA BLACK BLUE BRONZE BROWN CLEAR COLOUR COLOURED CREAM FUSCHIA GOLD GOLDEN GRAY GREEN
    GREY IVORY LILAC MAUVE MIDNIGHT MULTI MULTICOLOUR NATURAL ORANGE PASTEL PINK PURPLE RED SILVER
    TURQ TURQUOISE WHITE YELLOW
"""
_SIZES = """
    BIG CM EXTRA GIANT HEIGHT INCH JUMBO KG LARGE LITTLE LONG LRG M MED MEDIUM METER METRE MINI OVAL
    ROUND SHORT SIZE SMALL SMALLER SML SQUARE TALL THICK THIN TINY WIDE
"""
_MATERIALS = """
    ACRYLIC AMETHYST ARTIFICIAL BEADED BONE CERAMIC COPPER COTTON CROCHET CRYSTAL DIAMANTE ENAMEL
    FABRIC FELT FLOCK JADE LACE LEATHER METAL PAINTED PAPER PEARL PLASTIC PORCELAIN RESIN RUBBER
    SHELL SLATE STONE WICKER WIRE WOOD WOODEN WOOL WOOLLY ZINC
"""
_PATTERNS = """
    ALPHABET ANIMAL ANTIQUE BABUSHKA BAKELIKE BAROQUE BLOSSOM BOTANICAL BOUDICCA CIRCUS COTTAGE DECO
    DESIGN DOLLY EDWARDIAN ENGLISH FILIGREE FINISH FLORAL FOLK FOLKART FONT FRENCH GINGHAM GIRL IKAT
    JACK JET KEEP LONDON PAISLEY PANTRY PARADE PARK PATTERN PEAR POLKADOT POSY PRINT REGENCY RETRO
    RETROSPOT SCENTED SHAPE SHAPED SPACEBOY SPOT SPOTTY STRIPE STYLE SUKI SWEETHEART TEA UNION
    VILLAGE VINTAGE WOODLAND
"""
_OCCASIONS = """
    BABY BATHROOM BIRTHDAY CALM CHILDREN CHRISTMAS DAY EASTER GARDEN HANGING HAPPY HOME HOUSE KING
    KITCHEN LOVE MAGIC MUM NEW PARTY TIME TRADITIONAL TRAVEL WEDDING XMAS
"""
_COUNTING = """
    A AND ASS ASSORTED ASST BY D FOUR I IT ME MY NO OF OR PACK PAIR PC PIECE S SET SIX T THE THREE
    TO TWO W X YOU
"""
_MOTIF_WORDS = """
    APPLE BIRD BUNNY BUTTERFLY CAT CHERRY CHICK DAISY DINOSAUR DOG DRAGONFLY ELEPHANT FAIRY FEATHER
    FLOWER GLASS HEART HEN LEAF MUSHROOM OWL RABBIT ROSE SKULL STAR STRAWBERRY TOADSTOOL
"""
_MOTIFS: Final = frozenset(_MOTIF_WORDS.split())
"""Pictures on products as a rule, and the product itself where nothing else is named: a felt heart."""


def singular(word: str) -> str:
    """The word without its English plural ending.

    >>> [singular(word) for word in ("MUGS", "BOXES", "DOILIES", "GLASS", "TISSUES")]
    ['MUG', 'BOX', 'DOILY', 'GLASS', 'TISSUE']
    """
    if len(word) <= 3 or word.endswith(("SS", "US", "IS")):
        return word
    if word.endswith("IES"):
        return word[:-3] + "Y"
    if word.endswith(("XES", "CHES", "SHES", "SSES")):
        return word[:-2]
    return word.removesuffix("S")


_DESCRIBING: Final = frozenset(
    singular(word)
    for group in (_COLOURS, _SIZES, _MATERIALS, _PATTERNS, _OCCASIONS, _COUNTING)
    for word in group.split()
)


class ProductTypes:
    """The product types of one catalogue, learned from all of its titles.

    >>> titles = [f"{colour} TEA MUG" for colour in ("RED", "BLUE", "PINK", "GREEN", "IVORY")]
    >>> types = ProductTypes(titles)
    >>> types.of("SET OF 4 MUGS WITH SAUCERS"), types.of("SOMETHING ELSE")
    ('MUG', '?')
    """

    def __init__(self, titles: Iterable[str], least_titles: int = LEAST_TITLES) -> None:
        heads: Counter[str] = Counter()
        for title in titles:
            words = _naming_words(_without_aside(title))
            if words:
                heads[words[-1]] += 1
        self.types = frozenset(word for word, titles_headed in heads.items() if titles_headed >= least_titles)

    def of(self, title: str) -> str:
        """The product type of a title, `?` when it names none of the catalogue's types."""
        for text in (_without_aside(title), title):
            words = _naming_words(text)
            for known in (self.types - _MOTIFS, self.types):
                for word in reversed(words):
                    if word in known:
                        return word
        return UNKNOWN_TYPE


def _without_aside(title: str) -> str:
    return _ASIDE.split(title.upper(), maxsplit=1)[0]


def _naming_words(title: str) -> list[str]:
    words = (singular(word) for word in _WORD.findall(_COUNT.sub(" ", title.upper())))
    naming = [word for word in words if word not in _DESCRIBING]
    return [word for word in naming if word not in _MOTIFS] or naming
