"""Single updates of noisy poses as arrows over the camera's image (Fig. 12 of feedback15)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float32

from handbench.report.contact_sheet import Picture
from handbench.report.figures import FAINT_INK, INK, _colours
from handbench.report.picture_tiles import Shown
from handbench.training.picture_file import UpdatePictures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure

PALE = 0.65
"""Of white over the image, so that arrows stand out on near and on far depth."""
ROOM = 1.12
"""Around the outermost end of an arrow."""
LEAST_PX = 4.0
ARROW: dict[str, Any] = {"angles": "xy", "scale_units": "xy", "scale": 1, "width": 0.009, "headwidth": 4.2, "zorder": 3}
STAR: dict[str, Any] = {"marker": "*", "color": "white", "edgecolors": INK, "linewidths": 0.9, "zorder": 4}
NEARER, FARTHER = "nearer to the truth", "farther from it"


@dataclass(frozen=True)
class ArrowPanel:
    """The updates of one joint in one frame."""

    name: str
    picture: Picture
    truth_px: Float32[np.ndarray, "2"]
    starts_px: Float32[np.ndarray, "updates 2"]
    ends_px: Float32[np.ndarray, "updates 2"]
    before_mm: Float32[np.ndarray, "updates"]
    after_mm: Float32[np.ndarray, "updates"]

    @property
    def nearer(self) -> Bool[np.ndarray, "updates"]:
        """In space, not only in the image."""
        return self.after_mm < self.before_mm

    def as_frame(self) -> pd.DataFrame:
        """panel, frame, and of every arrow its ends and errors; an arrow each."""
        (start_column, start_row), (end_column, end_row) = self.starts_px.T, self.ends_px.T
        ends = {"start_column": start_column, "start_row": start_row, "end_column": end_column, "end_row": end_row}
        return pd.DataFrame(
            {"panel": "arrows", "frame": self.name, **ends, "before_mm": self.before_mm, "after_mm": self.after_mm}
        )


def list_panels(shown: Shown, updates: UpdatePictures) -> tuple[ArrowPanel, ...]:
    """A panel a frame; arrows that begin or end behind the camera have no place in an image."""
    tip, panels = shown.joints.index(updates.joint), []
    for number, frame in enumerate(updates.places.tolist()):
        starts_px, ends_px = (ends[number, :, :2] for ends in (updates.starts_px, updates.ends_px))
        seen = np.isfinite(starts_px).all(axis=1) & np.isfinite(ends_px).all(axis=1)
        panels.append(
            ArrowPanel(
                name=shown.name(frame),
                picture=shown.colour(frame, shown.pictures.camera[frame]),
                truth_px=shown.pictures.truth_px[frame, tip, :2],
                starts_px=starts_px[seen],
                ends_px=ends_px[seen],
                before_mm=updates.before_mm[number, seen],
                after_mm=updates.after_mm[number, seen],
            )
        )
    return tuple(panels)


def draw_panels(figure: "SubFigure", panels: Sequence[ArrowPanel]) -> None:
    """The frames beside each other, and above them what the marks mean."""
    colours = dict(zip((NEARER, FARTHER), _colours(2), strict=True))
    row = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, panel in zip(row, panels, strict=True):
        _draw_arrows(axes, panel, colours)
    first: Axes = row[0]
    star = first.scatter([], [], s=60, label="true joint", **STAR)
    lines = [first.plot([], [], color=colour, linewidth=1.6, label=word)[0] for word, colour in colours.items()]
    figure.legend(handles=[star, *lines], loc="outside upper right", ncols=3, fontsize=7, frameon=False)


def _draw_arrows(axes: "Axes", panel: ArrowPanel, colours: Mapping[str, Any]) -> None:
    """The image around the true joint, pale, with an arrow from each noisy joint to where the update puts it."""
    axes.imshow((PALE * 255 + (1 - PALE) * panel.picture).round().astype(np.uint8), interpolation="nearest")
    for where, word in ((panel.nearer, NEARER), (~panel.nearer, FARTHER)):
        (x, y), (dx, dy) = panel.starts_px[where].T, (panel.ends_px - panel.starts_px)[where].T
        axes.quiver(x, y, dx, dy, color=colours[word], **ARROW)
        axes.scatter(x, y, s=5, color=colours[word], linewidths=0, zorder=3)
    column, row = (float(number) for number in panel.truth_px)
    axes.scatter([column], [row], s=95, **STAR)
    reach = ROOM * np.abs(np.concatenate([panel.starts_px, panel.ends_px]) - panel.truth_px).max(initial=LEAST_PX)
    axes.set(xlim=(column - reach, column + reach), ylim=(row + reach, row - reach), xticks=[], yticks=[])
    axes.grid(visible=False)
    # In the middle, as the figure's own title takes the left one's place away.
    axes.set_title(panel.name, fontsize=8, fontweight="normal", loc="center")
    axes.set_xlabel(f"{100 * np.mean(panel.nearer):.0f} % nearer", fontsize=7, color=FAINT_INK)
