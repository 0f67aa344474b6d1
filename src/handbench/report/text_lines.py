"""Lines of text that fit where they are put: widths are measured, since letters differ in theirs."""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont


def fold(text: str, font: "FreeTypeFont", width_px: int) -> list[str]:
    """Broken between words; one that is longer than a line has a line of its own."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width_px or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


@lru_cache(maxsize=8)
def load_font(size_px: int, *, bold: bool = False) -> "FreeTypeFont":
    """The font that comes with matplotlib, so that pictures look alike on every machine."""
    import matplotlib
    from PIL import ImageFont

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(matplotlib.get_data_path(), "fonts", "ttf", name)), size_px)
