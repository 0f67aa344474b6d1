"""The kinds of refinement from unlabelled depth (refine, Sections 3 and 4) and their settings."""

from typing import Annotated

from pydantic import Field, model_validator

from handbench.module_settings import Augmentation, Fitting, Kind

Channels = Annotated[int, Field(ge=1)]
Weight = Annotated[float, Field(ge=0)]


class Refining(Fitting):
    """What both trainings share; patches are not turned."""

    last_rate_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Sec. 4.1 names one rate."""

    @model_validator(mode="after")
    def _leave_rotations(self) -> "Refining":
        if self.augmentation.turn_deg:
            raise ValueError("a turned patch shows no bones whose turns are known: turn_deg is 0 here")
        return self


class RefineBase(Refining):
    """The base network, which learns from rendered hands alone (refine 3.2, 4.1)."""

    epochs: Annotated[int, Field(ge=1)] = 100
    """Ours; Sec. 4.1: until convergence."""
    batch: Annotated[int, Field(ge=1)] = 200
    """Sec. 4.1."""
    learning_rate: Annotated[float, Field(gt=0)] = 0.001
    """Sec. 4.1."""
    channels: list[Channels] = Field(default=[96, 256, 384, 384, 256], min_length=5, max_length=5)
    """Of the five convolutions: AlexNet's."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.25
    """Sec. 4.1: kept with a probability of 0.75."""
    points: Annotated[int, Field(ge=16)] = 4000
    """Of the cloud P: ours."""
    radius: Annotated[float, Field(gt=0, le=1)] = 0.15
    """r of Eq. 5 in half cube edges: ours."""
    augmentation: Augmentation = Augmentation(scale=0.04, shift_mm=6.0, turn_deg=0.0)
    """Ours: other sets label other joints, and the block around them is another one."""


class RefineAdapted(Refining):
    """Base network and point cloud, trained on with the frames of a target and no labels (refine 3.3 to 3.5)."""

    epochs: Annotated[int, Field(ge=1)] = 10
    """Sec. 4.1."""
    batch: Annotated[int, Field(ge=1)] = 1000
    """Sec. 4.1."""
    learning_rate: Annotated[float, Field(gt=0)] = 0.00001
    """Sec. 4.1."""
    augmentation: Augmentation = Augmentation(scale=0.0, shift_mm=0.0, turn_deg=0.0)
    """The paper has none."""
    depth_weight: Weight = 1.0
    """Of Eq. 6 in the sum of Eq. 1. The three are ours, for patches of 64 pixels: Eq. 6 is a sum over pixels."""
    collision_weight: Weight = 1.0
    """Of Eq. 7; 0: depth alone (Sec. 4.4)."""
    physical_weight: Weight = 10.0
    """Of Eq. 8; 0: depth alone (Sec. 4.4)."""
    cloud_rate_mm: Weight = 0.0025
    """Learning rate of the point cloud, in millimetres: that of the weights where a patch of 250 mm has the edge 1."""


KINDS: dict[str, Kind] = {
    "refine.base": Kind(RefineBase, "refine base", probes=True, probes_truth=True, learns_hands=True, spreads=True),
    "refine.adapted": Kind(RefineAdapted, "refined", ("refine base",), whole=True, probes=True, trains_needs=True),
}
