"""The kinds of crossing and their settings."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from handbench.module_settings import Augmentation, Fitting, Kind

Rate = Annotated[float, Field(gt=0)]
Moment = Annotated[float, Field(ge=0, lt=1)]


class CrossingFitting(Fitting):
    """What every training of crossing has: Adam, no augmentation."""

    batch: Annotated[int, Field(ge=2)] = 64
    """Ours: the text is silent. Of one frame alone a batch normalisation knows no spread."""
    last_rate_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Sec. 4.4 names one rate."""
    augmentation: Augmentation = Augmentation(scale=0.0, shift_mm=0.0, turn_deg=0.0)
    """The paper has none."""
    epoch_steps: Annotated[int, Field(ge=1)] | None = None
    """Ours: at most so many steps an epoch; null: as many as batches of all training frames, labelled or not."""


class Labelled(CrossingFitting):
    """What learns from labels."""

    labelled_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """So many of the training frames have them (Sec. 5.1); the same ones for every module of a share and seed."""


class WithLatents(Labelled):
    """What learns from Enc(y)."""

    latent_noise: Annotated[float, Field(ge=0)] = 0.05
    """Standard deviation of what is added to latents in training: Sec. 4.4."""


class TwoSided(CrossingFitting):
    """A generator and a discriminator, with an optimiser each."""

    learning_rate: Rate = 0.001
    """Of the discriminator: Sec. 4.4."""
    generator_rate: Rate = 0.001
    """Sec. 4.4 has one rate for both."""
    first_moment: Moment = 0.5
    """Of Adam, for both: that of the paper's reference [25]; the text is silent."""


class CrossingVae(Labelled):
    """The pose VAE (crossing 3.1)."""

    spread: Rate = 0.05
    """Deviation of p(y|z) in half cube edges: ours (docs/crossing.md)."""


class CrossingGan(TwoSided):
    """The depth GAN by itself (crossing 3.2); it needs no labels."""

    learning_rate: Rate = 0.0005
    """Ours: a quarter of the generator's, or the discriminator wins (docs/crossing.md)."""
    generator_rate: Rate = 0.002
    """Ours."""


class CrossingAlignment(WithLatents):
    """The alignment of both latent spaces (crossing 4.2)."""


class CrossingEstimator(TwoSided, WithLatents):
    """All together: Algorithm 1 (crossing 4.3)."""

    unlabelled: Annotated[int, Field(ge=2)] = 64
    """Frames without labels in a step, beside `batch` with: ours."""
    head_epochs: Annotated[int, Field(ge=0)] = 21
    """In so many first epochs only alignment, posterior and smoothness head learn: the authors' published program."""
    smoothness: bool = True
    """Whether the smoothness task takes part (Sec. 5.2)."""
    gan: bool = True
    """Whether the GAN task takes part (Sec. 5.2)."""

    @model_validator(mode="after")
    def _learn_together(self) -> "CrossingEstimator":
        if self.head_epochs >= self.epochs:
            raise ValueError(
                f"head_epochs is below epochs, not {self.head_epochs} of {self.epochs}: nothing would learn together"
            )
        return self


class CrossingPosterior(WithLatents):
    """The posterior network alone, from scratch or on the GAN's first layers (crossing 5.1)."""

    equal: Literal["updates", "epochs"] = "updates"
    """What it has in common with the estimator: the number of its updates, or epochs, of the labelled frames alone."""


KINDS: dict[str, Kind] = {
    "crossing.vae": Kind(CrossingVae, "vae", predicts=False, spreads=True, least_rows=2),
    "crossing.gan": Kind(CrossingGan, "gan", predicts=False),
    "crossing.alignment": Kind(
        CrossingAlignment, "alignment", ("vae", "gan"), predicts=False, spreads=True, least_rows=2
    ),
    "crossing.estimator": Kind(
        CrossingEstimator, "estimator", ("vae", "gan", "alignment"), probes=True, one_chain=True
    ),
    "crossing.posterior": Kind(CrossingPosterior, "estimator", ("vae",), may_need=("gan",), spreads=True, least_rows=2),
}
