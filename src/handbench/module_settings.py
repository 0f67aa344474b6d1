"""What settings of modules are made of, and what the workflow has to know of a kind."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Precision = Literal["float32", "bfloat16"]


class Settings(BaseModel):
    """Unknown keys are errors, and "3" is not 3."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class TrainedBy(BaseModel):
    """How many train a module: a process for each device of each node."""

    threads: Annotated[int, Field(ge=1, le=256)] = 1
    """Of a process."""
    devices: Annotated[int, Field(ge=1, le=64)] = 1
    """Of a machine: GPUs where torch finds some."""
    nodes: Annotated[int, Field(ge=1, le=1024)] = 1
    """Machines."""


class Augmentation(Settings):
    """How far a crop is moved before a network sees it; see `loop.augmentation`."""

    scale: Annotated[float, Field(ge=0, le=0.3)] = 0.02
    """Standard deviation of the cube's relative size: ours."""
    shift_mm: Annotated[float, Field(ge=0, le=50)] = 5.0
    """Standard deviation of each coordinate of the cube's centre: ours."""
    turn_deg: Annotated[float, Field(ge=0, le=180)] = 180.0
    """Largest turn in the image plane: ours; the text of 2015 says nothing of augmentation."""


class Fitting(Settings):
    """What every network of the feedback papers is trained by."""

    epochs: Annotated[int, Field(ge=1)] = 100
    """2015, Sec. 4.1; 2019, Sec. 5.1."""
    batch: Annotated[int, Field(ge=1)] = 64
    """2015, Sec. 4.1; 2019, Sec. 5.1."""
    learning_rate: Annotated[float, Field(gt=0)] = 0.001
    """At the start; 2019, Sec. 5.1, and of 2015's updater, Sec. 4.1."""
    last_rate_share: Annotated[float, Field(gt=0, le=1)] = 0.01
    """Ours: both papers say that the rate decays, not how far; here by the same factor each step, to this share."""
    warm_up_steps: Annotated[int, Field(ge=0)] = 0
    """Ours: in so many first steps the rate rises evenly to where it starts to decay."""
    precision: Precision = "float32"
    """Ours: of a step's products; bfloat16 takes half the time where a processor has it. Weights stay float32."""
    augmentation: Augmentation = Augmentation()


class RootMeanSquare(Fitting):
    """The optimiser of 2015."""

    rms_decay: Annotated[float, Field(gt=0, lt=1)] = 0.9
    """Sec. 4.1."""
    gradient_limit: Annotated[float, Field(gt=0)] = 0.01
    """Sec. 4.1: each entry of the gradient is truncated to it."""


class SynthesizerFitting(Fitting):
    """What the synthesizers of both papers share."""

    filters: Annotated[int, Field(ge=1)] = 32
    """Feature maps of every stage: Fig. 4 of 2015, Fig. 6 of 2019."""
    epochs: Annotated[int, Field(ge=1)] = 100
    """Of whole images: the last stage, or all of an end-to-end training."""
    stage_epochs: list[Annotated[int, Field(ge=0)]] = []
    """Epochs of images of 8x8, 16x16, ... before that (2015, Sec. 3.3; 2019, Sec. 3.4); none: end to end."""
    label_noise_mm: Annotated[float, Field(ge=0)] = 0.0
    """Standard deviation of what is added to each coordinate of the labels before training: Fig. 7 of 2015."""
    label_noise_seed: Annotated[int, Field(ge=0)] = 0


class UpdaterFitting(Fitting):
    """What the updaters of both papers share (2015, Sec. 3.4; 2019, Sec. 3.5)."""

    lam: Annotated[float, Field(ge=0, le=1)] = 0.6
    """Share of the error that an update may leave without cost: lambda of Eq. 8 (2015) and Eq. 9 (2019)."""
    pooling: bool = False
    """Max-pooling in the place of strides, which both papers found worse."""
    iterations: Annotated[int, Field(ge=1)] = 2
    """After which the validation error is measured: Sec. 4.7 of 2015."""
    kept_rounds: Annotated[int, Field(ge=1)] = 10
    """Ours: of so many rounds the updater's outputs stay in T_D; the papers keep all."""
    truth_share: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Ours: how often the pose to correct is the truth."""
    error_share: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Ours: how often it is the truth with an error that is made at present; else an output of the networks."""
    noise_share: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Ours: how many of all poses get Gaussian noise as well."""
    noise_mm: Annotated[float, Field(ge=0)] = 5.0
    """Ours: its standard deviation in each coordinate."""

    @model_validator(mode="after")
    def _share_out(self) -> "UpdaterFitting":
        together = self.truth_share + self.error_share
        if together > 1:
            raise ValueError(f"truth_share and error_share are at most 1 together, not {together:g}")
        return self


@dataclass(frozen=True)
class Kind:
    """What the workflow has to know of a kind."""

    settings: type[Settings]
    gives: str
    """The part that it can play in another module."""
    needs: tuple[str, ...] = ()
    """The parts that its own `needs` play, in this order."""
    may_need: tuple[str, ...] = ()
    """Further parts that it starts from where they are named, behind those."""
    whole: bool = False
    """Its checkpoint holds those of its needs as well, as they are or trained on: it is put together from them."""
    predicts: bool = True
    """Whether it gives joints."""
    probes: bool = False
    """Whether there is more to know of it than its joints."""
    learns_images: bool = True
    """Whether it draws by a network, which has a gradient."""
    trains_needs: bool = False
    """Whether it trains on what it needs, which then has to live in its own file."""
    fitted: bool = False
    """Whether it learns from poses fitted to the labels, or from the hand that they belong to."""
    renders: bool = False
    """Whether it learns from rendered hands with objects and is tested on Dexter+Object, on crops of hand and object
    together, which have twice the edge of other patches."""
    asks_truth: bool = False
    """Whether its probe asks for points that only embedded data knows."""
    probes_truth: bool = False
    """Whether its probe tells more where the truth of embedded frames is at hand."""
    one_chain: bool = False
    """Whether what its needs have started from must be the others of its needs."""
    spreads: bool = False
    """Whether several devices can train it together."""
    least_rows: int = 1
    """Of a batch, that each device must have: a batch normalisation of numbers asks for two."""
    learns_hands: bool = False
    """Whether it learns from hands rendered alone, with the turns of their bones: one training serves all datasets."""
