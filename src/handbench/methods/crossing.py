"""Crossing Nets: a VAE of poses and a GAN of depth images that share a latent space.

C. Wan, T. Probst, L. Van Gool, A. Yao, "Crossing Nets: Combining GANs and VAEs with a Shared Latent Space for Hand Pose
Estimation", CVPR 2017.

    x, X_l   images        (batch, 1, S, S) depth patches in [-1, 1], of labelled frames
    X_u      unlabelled    (more, 1, S, S)  of frames without labels
    y        poses         (batch, J, 3)    in half cube edges around the crop's centre
    q(z|y)   Encoded       (batch, 20)      networks/pose_vae.py, and Enc, Dec
    Z_l      latents       (batch, 23)      Enc(Y_l), the shared latent variable of labelled frames
    Z_r      noise         (drawn, 23)      the same of no frame
    Ali, Gen RenderRoute                    networks/depth_gan.py, and Dis, smo, pos
    X-bar_l  drawn.own     (batch, 1, S, S) Gen(Ali(Z_l))
    X-bar_r  drawn.mixed   (drawn, 1, S, S) Gen(Ali(Z_r))
    tau      TAU                            Eq. 6

What differs from the print, each in docs/crossing.md with its reason. Eq. 6 has max(., tau) where the text means a
clipped error: the minimum, of every pixel. Eq. 5 is what Dis maximises, as Algorithm 1 has it; Eqs. 7 and 8 need the
opposite sign: L_gan here is the cross entropy, which Dis minimises. The generator matches features wherever -L_gan
stands. Algorithm 1 has Enc(X_l) where it means Enc(Y_l), and Sec. 4.2 once Ali(z_x) for Ali(z_y). Squared norms are
means over frames and numbers.

Here: the losses, then what trains VAE, GAN, alignment, all of it (Algorithm 1) and the posterior network alone
(Sec. 5.1). How two sides learn at once stands in loop/adversarial_training.py, which frames have labels in
loop/labelled_share.py.
"""

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from handbench.crossing_modules import (
    CrossingAlignment,
    CrossingEstimator,
    CrossingGan,
    CrossingPosterior,
    CrossingVae,
    Labelled,
    WithLatents,
)
from handbench.datasets.torch_dataset import CropDataset
from handbench.errors import BadInput
from handbench.fitting.walk_probe import probe_estimator
from handbench.loop import processes
from handbench.loop.adversarial_training import AdversarialTraining, Step, run_adversarial, watch
from handbench.loop.augmentation import CropBatch
from handbench.loop.crop_data import apply, find_device
from handbench.loop.crossing_measures import (
    measure_decoding_mm,
    measure_drawing_mm,
    measure_estimate_mm,
    measure_statistics,
)
from handbench.loop.labelled_share import find_root, read_images, share_labels, take_all_joints
from handbench.loop.labelled_training import count_epoch_steps, fit_labelled
from handbench.methods import Method, Numbers, State, Trained, TrainingRun, keep
from handbench.networks.crossing import CrossingNets, PosteriorNets
from handbench.networks.depth_gan import Alignment, DepthGan, Discriminator, Generator, RenderRoute
from handbench.networks.hand_layer import keep_digits
from handbench.networks.pose_vae import LATENT_DIMS, Encoded, PoseVae, read_vae

TAU = 1.0
"""Sec. 4.2."""
PARENTS = 5
"""Labelled latents in one combination: the authors' published program."""

Images = Float[Tensor, "batch 1 size size"]
Poses = Float[Tensor, "batch joints 3"]
Latents = Float[Tensor, "batch latents"]
Maps = Float[Tensor, "_ filters rows rows"]
Scalar = Float[Tensor, ""]
Logits = tuple[Float[Tensor, "real"], Float[Tensor, "drawn"]]


def vae_loss(decoded: Poses, poses: Poses, encoded: Encoded, spread: float) -> Scalar:
    """Reconstruction and prior (Eq. 2)."""
    return pose_reconstruction(decoded, poses, spread) + latent_prior(encoded)


def pose_reconstruction(decoded: Poses, poses: Poses, spread: float) -> Scalar:
    """-E[log p(y|z)] but for a constant, by one sample of z (Eq. 3); p(y|z) is normal around Dec(z), `spread` wide."""
    return ((decoded - poses) / spread).square().sum(dim=(1, 2)).mean() / 2


def latent_prior(encoded: Encoded) -> Scalar:
    """KL(q(z|y) || N(0, I)) on average over the batch (Eq. 4); of the 20 dimensions that have a distribution."""
    mean, log_variance = encoded.mean, encoded.log_variance
    return (mean.square() + log_variance.exp() - log_variance - 1).sum(dim=1).mean() / 2


def adversarial_loss(real: Float[Tensor, "real"], drawn: Float[Tensor, "drawn"]) -> Scalar:
    """-log Dis(x) - log(1 - Dis(x-bar)) on average over either, from logits: Eq. 5 turned round, and L_gan (Eq. 10)."""
    return softplus(-real).mean() + softplus(drawn).mean()


def matching_loss(real: Float[Tensor, "real features"], drawn: Float[Tensor, "drawn features"]) -> Scalar:
    """How far the mean features of drawn images are from those of real ones: the generator's side of Eqs. 5 and 10."""
    return (real.mean(dim=0) - drawn.mean(dim=0)).abs().mean()


def image_reconstruction(drawn: Images, images: Images) -> Scalar:
    """min(|x - Gen(Ali(z_y))|^2, tau) of every pixel, on average (Eq. 6)."""
    return (drawn - images).square().clamp_max(TAU).mean()


def smoothness_loss(to_mixed: Latents, between: Latents, to_own: Latents) -> Scalar:
    """d_comb + d_self (Eq. 9): smo(X-bar_r, X_l) is to be `between`, Z_r - Z_l, and smo(X-bar_l, X_l) nothing."""
    return (to_mixed - between).square().mean() + to_own.square().mean()


def posterior_loss(estimated: Latents, latents: Latents) -> Scalar:
    """|pos(X_l) - Z_l|^2 (Eq. 11)."""
    return (estimated - latents).square().mean()


def mix_latents(
    latents: Float[Tensor, "labelled latents"], count: int, generator: torch.Generator
) -> Float[Tensor, "count latents"]:
    """Z_r: convex combinations of labelled latents, with random weights (Sec. 4.4)."""
    parents = torch.randint(len(latents), (count, PARENTS), generator=generator).to(latents.device)
    shares = torch.rand(count, PARENTS, generator=generator).to(latents)
    shares = shares / shares.sum(dim=1, keepdim=True)
    return (latents[parents] * shares[..., None]).sum(dim=1)


class Batch(NamedTuple):
    """What one step of Algorithm 1 sees: as many latents of no frame as labelled frames, and any number unlabelled."""

    images: Images
    latents: Latents
    unlabelled: Float[Tensor, "more 1 size size"]
    noise: Latents


class Drawn(NamedTuple):
    """X-bar_l and X-bar_r."""

    own: Images
    mixed: Images


@dataclass(frozen=True)
class Tasks:
    """Which of the losses take part; Sec. 5.2 leaves out one or the other."""

    smoothness: bool = True
    gan: bool = True


class Terms(NamedTuple):
    """The three losses of either side; a task that is left out has zero."""

    target: Scalar
    """L_recons of the generator, L_pos of the discriminator."""
    smoothness: Scalar
    gan: Scalar

    def total(self) -> Scalar:
        """L_G (Eq. 7) or L_D (Eq. 8): equal weights (Sec. 4.3)."""
        return self.target + self.smoothness + self.gan


class Verdicts(NamedTuple):
    """What the GAN task makes of both kinds of images."""

    matching: Scalar
    adversarial: Scalar
    logits: Logits


class Iteration(NamedTuple):
    """One pass of Algorithm 1 up to its updates."""

    generator: Terms
    discriminator: Terms
    drawn: Drawn
    logits: Logits | None


def draw(route: RenderRoute, batch: Batch) -> Drawn:
    """Gen(Ali(.)) of labelled and other latents, in one batch (Algorithm 1)."""
    labelled = len(batch.latents)
    images = route(torch.cat([batch.latents, batch.noise]))
    return Drawn(images[:labelled], images[labelled:])


def iterate(route: RenderRoute, discriminator: Discriminator, batch: Batch, tasks: Tasks) -> Iteration:
    """L_recons + L_smo - L_gan (Eq. 7), feature matching in the last one's place, and L_pos + L_smo + L_gan (Eq. 8).

    What is drawn is looked at once for both. The first is meant for the route's weights alone and the second for the
    discriminator's.
    """
    drawn = draw(route, batch)
    # Only the GAN task needs images without labels.
    real = torch.cat([batch.images, batch.unlabelled]) if tasks.gan else batch.images
    seen, synthesized = discriminator.look(real), discriminator.look(torch.cat(drawn))
    labelled = seen[: len(batch.images)]
    reconstruction = image_reconstruction(drawn.own, batch.images)
    posterior = posterior_loss(discriminator.estimate(labelled), batch.latents)
    smoothness = matching = adversarial = torch.zeros_like(posterior)
    logits = None
    if tasks.smoothness:
        smoothness = compare_latents(discriminator, batch, labelled, synthesized)
    if tasks.gan:
        matching, adversarial, logits = judge_both(discriminator, seen, synthesized)
    ours, theirs = Terms(reconstruction, smoothness, matching), Terms(posterior, smoothness, adversarial)
    return Iteration(ours, theirs, drawn, logits)


def compare_latents(discriminator: Discriminator, batch: Batch, labelled: Maps, synthesized: Maps) -> Scalar:
    """Eq. 9 of a batch, from the shared maps of its images."""
    own, mixed = synthesized.split(len(batch.images))
    to_mixed, to_own = discriminator.compare([mixed, own], labelled)
    return smoothness_loss(to_mixed.float(), batch.noise - batch.latents, to_own.float())


def judge_both(discriminator: Discriminator, real: Maps, synthesized: Maps) -> Verdicts:
    """Both sides of Eqs. 5 and 10, from shared maps."""
    described = discriminator.describe(real).float(), discriminator.describe(synthesized).float()
    logits = discriminator.judge(described[0]).float(), discriminator.judge(described[1]).float()
    return Verdicts(matching_loss(*described), adversarial_loss(*logits), logits)


def train_vae(crops: CropDataset, settings: CrossingVae, run: TrainingRun) -> State:
    """Eq. 2, of labelled poses."""
    crops = take_all_joints(crops)
    shared = share_labels(crops, settings.labelled_share, run.seed)
    vae = PoseVae(len(crops.joint_names), find_root(crops), seed=run.seed)
    vae.start_at(processes.join(shared.labelled["joints"]))

    def loss(batch: CropBatch) -> Scalar:
        decoded, encoded = vae(batch.joints, processes.randn(len(batch.joints), vae.dims, device=batch.joints.device))
        return vae_loss(decoded, batch.joints, encoded, settings.spread)

    measure = partial(measure_decoding_mm, vae, shared.held_back, told=len(crops.store.scored))
    fit_labelled(vae, settings, shared, run, loss, measure)
    return keep(vae)


def train_gan(crops: CropDataset, settings: CrossingGan, run: TrainingRun) -> State:
    """Eq. 5 with uniform noise, of images alone: those of frames without labels too."""
    data, gan = read_images(take_all_joints(crops)), DepthGan(crops.size_px, seed=run.seed)

    def step(batch: CropBatch) -> Step:
        noise = 2 * torch.rand(len(batch.depth), LATENT_DIMS, device=batch.depth.device) - 1
        drawn = gan.generator(noise)
        real, synthesized = gan.discriminator.look(batch.depth), gan.discriminator.look(drawn)
        matching, adversarial, logits = judge_both(gan.discriminator, real, synthesized)
        told = {"matching": matching, "adversarial": adversarial}
        return Step(matching, adversarial, watch(batch.depth, drawn, logits), told)

    each = count_epoch_steps(len(data["depth"]), settings)
    training = AdversarialTraining((gan.generator, gan.discriminator), settings, settings.epochs * each, step)
    run_adversarial(training, data, settings, run, each)
    return keep(gan)


def train_alignment(crops: CropDataset, settings: CrossingAlignment, run: TrainingRun) -> State:
    """Eq. 6, with the pre-trained generator as it is."""
    crops = take_all_joints(crops)
    shared, vae = share_labels(crops, settings.labelled_share, run.seed), build_shared_vae(settings, run)
    gan = build_gan(run.needs[1]).requires_grad_(False)
    route = RenderRoute(Alignment(seed=run.seed), gan.generator)

    def loss(batch: CropBatch) -> Scalar:
        return image_reconstruction(route(take_latents(vae, batch, settings.latent_noise)), batch.depth)

    fit_labelled(route, settings, shared, run, loss, partial(measure_drawing_mm, route, vae, shared.held_back))
    return keep(route.alignment)


def train_estimator(crops: CropDataset, settings: CrossingEstimator, run: TrainingRun) -> State:
    """Algorithm 1."""
    told, crops = len(crops.joint_names), take_all_joints(crops)
    shared, vae = share_labels(crops, settings.labelled_share, run.seed), build_shared_vae(settings, run)
    check_share(run.needs[2], settings)
    # The heads of smo and pos are as they were before any training.
    gan, alignment = build_gan(run.needs[1]), build_alignment(run.needs[2])
    nets = CrossingNets(vae, RenderRoute(alignment, gan.generator), gan.discriminator, told).eval()
    tasks = Tasks(settings.smoothness, settings.gan)
    images = shared.images.to(find_device())

    def step(batch: CropBatch) -> Step:
        latents = take_latents(vae, batch, settings.latent_noise)
        rows = torch.randint(len(images), (settings.unlabelled,), device=images.device)
        noise = mix_latents(latents, len(latents), torch.default_generator)
        one = Batch(batch.depth, latents, images[rows].float(), noise)
        done = iterate(nets.route, nets.discriminator, one, tasks)
        ours, theirs = done.generator, done.discriminator
        told = {"reconstruction": ours.target, "posterior": theirs.target, "smoothness": theirs.smoothness}
        told |= {"matching": ours.gan, "adversarial": theirs.gan}
        health = watch(torch.cat([one.images, one.unlabelled]), torch.cat(done.drawn), done.logits)
        return Step(ours.total(), theirs.total(), health, told)

    def measure() -> float:
        measure_statistics(nets.discriminator, shared.labelled["depth"])
        return measure_estimate_mm(nets, shared.held_back)

    each = count_epoch_steps(len(images), settings)
    late = (gan.generator, gan.discriminator.shared, gan.discriminator.judging, gan.discriminator.verdict)
    training = AdversarialTraining(
        (nets.route, nets.discriminator),
        settings,
        settings.epochs * each,
        step,
        late=late,
        late_from=settings.head_epochs,
        measure=measure,
    )
    run_adversarial(training, shared.labelled, settings, run, each)
    return keep(nets)


def train_posterior(crops: CropDataset, settings: CrossingPosterior, run: TrainingRun) -> State:
    """Eq. 11 alone; with a GAN among its needs the first two layers start as that one's discriminator has them."""
    told, crops = len(crops.joint_names), take_all_joints(crops)
    shared, vae = share_labels(crops, settings.labelled_share, run.seed), build_shared_vae(settings, run)
    nets = PosteriorNets(vae, Discriminator(crops.size_px, seed=run.seed), told).eval()
    if len(run.needs) > 1:
        nets.discriminator.shared.load_state_dict(build_gan(run.needs[1]).discriminator.shared.state_dict())

    def loss(batch: CropBatch) -> Scalar:
        return posterior_loss(nets.estimate(batch.depth), take_latents(vae, batch, settings.latent_noise))

    frames = len(shared.labelled["depth"] if settings.equal == "epochs" else shared.images)
    measure = partial(measure_estimate_mm, nets, shared.held_back)
    fit_labelled(nets.discriminator, settings, shared, run, loss, measure, frames)
    return keep(nets)


def build_shared_vae(settings: WithLatents, run: TrainingRun) -> PoseVae:
    """The VAE that a training starts from, which stays as it is."""
    check_share(run.needs[0], settings)
    return build_vae(run.needs[0]).eval().requires_grad_(False).to(find_device())


def check_share(needed: Trained, settings: Labelled) -> None:
    """Labels that one module has learned from must not be new to another."""
    if needed.settings.labelled_share != settings.labelled_share:
        raise BadInput(
            needed.kind,
            expected=f"a module that learned from {settings.labelled_share:g} of the labels",
            found=f"one of {needed.settings.labelled_share:g}",
            fix="name the one of the same labelled_share",
        )


def take_latents(vae: PoseVae, batch: CropBatch, noise: float) -> Latents:
    """Z_l = Enc(Y_l), with Gaussian noise (Sec. 4.4)."""
    with torch.no_grad(), keep_digits(batch.joints):
        latents = vae.encode(batch.joints).centre()
        return latents + noise * processes.randn(*latents.shape, device=latents.device)


def build_vae(trained: Trained) -> PoseVae:
    return trained.load_into(read_vae(trained.state))


def build_gan(trained: Trained) -> DepthGan:
    return trained.load_into(DepthGan(trained.size_px))


def build_alignment(trained: Trained) -> Alignment:
    return trained.load_into(Alignment())


def build_estimator(trained: Trained) -> CrossingNets:
    vae, size_px = read_vae(trained.state, "vae."), trained.size_px
    route = RenderRoute(Alignment(), Generator(size_px))
    return trained.load_into(CrossingNets(vae, route, Discriminator(size_px), trained.joints))


def build_posterior(trained: Trained) -> PosteriorNets:
    vae = read_vae(trained.state, "vae.")
    return trained.load_into(PosteriorNets(vae, Discriminator(trained.size_px), trained.joints))


def predict(trained: Trained, depth: Float[Tensor, "frames 1 size size"]) -> Float[Tensor, "steps frames joints 3"]:
    """Dec(pos(x))."""
    return apply(trained.build(), depth)[None]


def probe(trained: Trained, crops: CropDataset, learned: CropDataset) -> Numbers:
    """How long it takes, how well it draws test frames, how its GAN is; walks in its latent space (Fig. 1)."""
    return probe_estimator(build_estimator(trained).eval().to(find_device()), crops, learned)


METHODS = {
    "vae": Method(train_vae, build_vae),
    "gan": Method(train_gan, build_gan),
    "alignment": Method(train_alignment, build_alignment),
    "estimator": Method(train_estimator, build_estimator, predict, probe),
    "posterior": Method(train_posterior, build_posterior, predict),
}
