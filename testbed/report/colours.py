"""The same colour, marker and line for a model in every figure of every report.

The colours are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), which people with any common colour blindness
tell apart. Models differ in marker and dash as well, so that a print in grey still tells them apart.
"""

import zlib
from dataclasses import dataclass, replace

from servers.models import SERVERS, TABLE

INK = "#000000"
ORANGE, SKY, GREEN, YELLOW = "#E69F00", "#56B4E9", "#009E73", "#F0E442"
BLUE, VERMILLION, PURPLE = "#0072B2", "#D55E00", "#CC79A7"

# None of theirs, for a ninth model: tells itself from all of them by having no colour.
GREY = "#7F7F7F"

# Yellow on white is hardly visible: on paper its darker shade stands for it.
YELLOW_ON_WHITE = "#A39400"

# What stands for a colour on a dark background.
DARK = {
    INK: "#F2F2F2",
    BLUE: "#3F9FDC",
    GREEN: "#22B98F",
    VERMILLION: "#F0803C",
    YELLOW_ON_WHITE: YELLOW,
    GREY: "#A8A8A8",
}


@dataclass(frozen=True)
class Look:
    """How Plotly draws a model."""

    colour: str
    symbol: str
    dash: str


# By a model's place among the models, from 1. Those who come after the last have a colour again with another symbol.
_LOOKS = (
    Look(INK, "circle", "solid"),
    Look(BLUE, "square", "dash"),
    Look(VERMILLION, "diamond", "dot"),
    Look(PURPLE, "triangle-up", "dashdot"),
    Look(SKY, "triangle-down", "longdash"),
    Look(ORANGE, "pentagon", "longdashdot"),
    Look(GREEN, "star", "solid"),
    Look(YELLOW_ON_WHITE, "hexagram", "dash"),
    Look(GREY, "square-x", "dot"),
)
_MORE = ("hexagon", "octagon", "star-triangle-up", "star-triangle-down", "circle-x", "diamond-wide", "diamond-tall")
# Variants have the colour of what they are a variant of.
_VARIANTS = (("star-square", "dot"), ("star-diamond", "dashdot"), ("circle-cross", "longdash"), ("square-cross", "dot"))

_OTHERS = (Look(PURPLE, "cross", "dot"), Look(BLUE, "hourglass", "longdash"), Look(VERMILLION, "bowtie", "dash"))


def _looks() -> dict[str, Look]:
    found: dict[str, Look] = {}
    for name in SERVERS:
        traits = TABLE[name]
        round_, index = divmod(traits.place - 1, len(_LOOKS))
        found[name] = _LOOKS[index]
        if traits.base:
            number = sum(1 for other in found if TABLE[other].base) - 1
            found[name] = Look(found[traits.base].colour, *_VARIANTS[number % len(_VARIANTS)])
        elif round_:
            found[name] = replace(found[name], symbol=_MORE[(traits.place - len(_LOOKS) - 1) % len(_MORE)])
    return found


LOOKS = _looks()


def look(model: str) -> Look:
    """The look of a model or variant; of an unknown one, always the same by its name."""
    return LOOKS.get(model) or _OTHERS[zlib.crc32(model.encode()) % len(_OTHERS)]
