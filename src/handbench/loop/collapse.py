"""Whether a GAN has collapsed: the generator draws one image for all, or the discriminator tells everything and teaches
nothing. A training whose GAN has collapsed says so in a remark, by which whoever reads its card can tell.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

COLLAPSED = "the drawing of images has collapsed"
"""How the remark begins."""
LEAST_SPREAD_SHARE = 0.5
"""Of the spread of real images; below it too many drawn ones are alike."""
MOST_TOLD = 0.995
"""Of the images; above it there is no image left from which the generator could learn."""


class Health(NamedTuple):
    """How a GAN is, by which a collapse is seen."""

    spread_real: float
    """Standard deviation of a pixel over the images of a batch."""
    spread_drawn: float
    accuracy: float
    """Share of real and drawn images that the discriminator tells right; NaN where it was not asked."""

    @property
    def collapsed(self) -> bool:
        return self.spread_drawn < LEAST_SPREAD_SHARE * self.spread_real or self.accuracy > MOST_TOLD

    def describe(self) -> str:
        spreads = f"drawn pixels have a spread of {self.spread_drawn:.3f} where real ones have {self.spread_real:.3f}"
        if math.isnan(self.accuracy):
            return spreads
        return f"{spreads}, {100 * self.accuracy:.1f} % of images are told right"


def tell_collapse(health: Health) -> str:
    return f"{COLLAPSED}: {health.describe()}"


def has_collapsed(remarks: Sequence[str]) -> bool:
    """Whether a training has said so."""
    return any(one.startswith(COLLAPSED) for one in remarks)
