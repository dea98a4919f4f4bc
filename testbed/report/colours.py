"""The same colour, marker and line for a model in every figure of every report.

The colours are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), which people with any common colour blindness
tell apart. Models differ in marker and dash as well, so that a print in grey still tells them apart.
"""

import zlib
from dataclasses import dataclass

from servers.models import base

INK = "#000000"
ORANGE, SKY, GREEN, YELLOW = "#E69F00", "#56B4E9", "#009E73", "#F0E442"
BLUE, VERMILLION, PURPLE = "#0072B2", "#D55E00", "#CC79A7"

# Yellow on white is hardly visible: on paper its darker shade stands for it.
YELLOW_ON_WHITE = "#A39400"

# What stands for a colour on a dark background.
DARK = {INK: "#F2F2F2", BLUE: "#3F9FDC", GREEN: "#22B98F", VERMILLION: "#F0803C", YELLOW_ON_WHITE: YELLOW}


@dataclass(frozen=True)
class Look:
    """How Plotly draws a model."""

    colour: str
    symbol: str
    dash: str


LOOKS = {
    "spst": Look(INK, "circle", "solid"),
    "spmt": Look(BLUE, "square", "dash"),
    "mpst": Look(VERMILLION, "diamond", "dot"),
    "mpmt": Look(PURPLE, "triangle-up", "dashdot"),
    "thread-pool": Look(SKY, "triangle-down", "longdash"),
    "prefork": Look(ORANGE, "pentagon", "longdashdot"),
    "event-loop": Look(GREEN, "star", "solid"),
    "prefork-event-loop": Look(YELLOW_ON_WHITE, "hexagram", "dash"),
    # Variants have the colour of what they are a variant of.
    "event-loop-uvloop": Look(GREEN, "star-square", "dot"),
    "prefork-event-loop-uvloop": Look(YELLOW_ON_WHITE, "star-diamond", "dashdot"),
}

_OTHERS = (Look(PURPLE, "cross", "dot"), Look(BLUE, "hourglass", "longdash"), Look(VERMILLION, "bowtie", "dash"))


def look(model: str) -> Look:
    """The look of a model, or of what it is a variant of; of an unknown one, always the same by its name."""
    return LOOKS.get(model) or LOOKS.get(base(model)) or _OTHERS[zlib.crc32(model.encode()) % len(_OTHERS)]
