# Where every file of a run lies, and which of them a target needs: all wildcard logic is here.
import json
import os
import shlex
import sys
from functools import partial
from pathlib import Path

from handbench.conventions import (
    DATASETS,
    HANDOBJECT,
    HANDS,
    MSRA_SUBJECTS,
    RECORDED,
    RENDERED,
    SYNTHESIZED,
    WRISTBAND,
)
from handbench.digest import told_digest
from handbench.evaluation.baselines import BASELINES, COMPARED
from handbench.modules import KINDS, method_file
from handbench.provenance import CALL, digest_settings

# What a cluster's job reads of the workflow it is told of the process that submits it.
stage_digest = partial(told_digest, planning=workflow.is_main_process)
PAPERS = tuple(settings.papers)
RESULTS = settings.results
RUN = str(settings.run_folder)
CALL_FILE = f"{RUN}/{CALL}"
LOGS = f"{RUN}/logs"
TIMES = f"{RUN}/benchmarks"
# Of jobs that want both of two cores: one of a single thread would hold them up, and a core would idle beside it.
BEFORE_TRAININGS = 1


wildcard_constraints:
    dataset="|".join(DATASETS),
    split="|".join(sorted({split for convention in DATASETS.values() for split in convention.splits})),
    centre=r"joint|joint-\w+|com|com-\d+|block|seen",
    # Crops of hand and object together have twice the edge in pixels.
    larger="|-x2",
    module="|".join(settings.modules) or "none",
    seed=r"\d+",
    # MSRA is trained once for each subject left out; elsewhere there are no folds.
    fold=r"|/fold-\w+",


def raw_data(dataset, split=""):
    """What says that a dataset's own files are there: a manifest of ours, or the folder the config names."""
    if dataset in RENDERED:
        return f"{RUN}/render/{rendered_set(dataset, split)}/manifest.json"
    if settings.source == "embedded":
        return f"{RUN}/synthesize/{dataset}/manifest.json"
    # A folder's time changes whenever somebody lists it with the wrong tool: its being there is what counts.
    return ancient(at_hand(dataset)) if settings.datasets[dataset].path else f"{RUN}/download/{dataset}/manifest.json"


def raw_root(dataset, split=""):
    """The folder of a dataset's own files; each set of rendered frames has one of its own."""
    if dataset in RENDERED:
        return f"{RUN}/render/{rendered_set(dataset, split)}/raw"
    if settings.source == "embedded":
        return f"{RUN}/synthesize/{dataset}/raw"
    return at_hand(dataset) if settings.datasets[dataset].path else f"{RUN}/download/{dataset}/raw"


def rendered_set(dataset, split):
    """The word of a rendered set: hands alone are all of one."""
    return HANDS.name if dataset == HANDS.name else split


def hands_before_objects(word):
    """The datasets whose hands a rendered set shows behind objects."""
    return [] if word == HANDS.name else settings.render.hands


def hands_option(word):
    """The command line's words for them, if there are any."""
    hands = [shlex.quote(f"{dataset}={raw_root(dataset)}") for dataset in hands_before_objects(word)]
    return f"--hands {' '.join(hands)}" if hands else ""


def at_hand(dataset):
    """The real dataset's folder that the config names; it has to be there before anything starts."""
    path = Path(settings.datasets[dataset].path).expanduser()
    if not path.is_dir():
        sys.exit(f"config: expected a folder at datasets.{dataset}.path, found none at {path}; mend the path")
    return str(path)


def stride_option(dataset):
    """The command line's words for the frames that are left out, if any are."""
    stride = settings.datasets[dataset].stride
    return f"--stride {' '.join(f'{split}={n}' for split, n in stride.items())}" if stride else ""


def allowed_skips(dataset):
    """What was rendered here can be read."""
    return settings.datasets[dataset].allow_skips if dataset in settings.datasets else 0


def rendered_frames(split):
    """The command line's words for how many frames of each kind a rendered set has."""
    return [f"{kind}={number}" for kind, number in settings.render.sets[split].model_dump().items() if number]


def made():
    """The datasets in use; the one with the wristband only where a module asks for it."""
    asked = {dataset for module in settings.modules.values() for dataset in module.datasets}
    return [dataset for dataset in settings.use if dataset != WRISTBAND.name or dataset in asked]


def all_crops():
    """The store of every dataset, centre and split that the config asks for."""
    return [
        f"{RUN}/crop/{dataset}/{centre}/{split}/store.json"
        for dataset in made()
        for centre in settings.datasets[dataset].centres
        for split in DATASETS[dataset].splits
    ]


def all_sheets():
    """One contact sheet for every split of every dataset, and of every rendered set that something learns from."""
    recorded = [(dataset, split) for dataset in made() for split in DATASETS[dataset].splits]
    return [f"{RUN}/show/{dataset}/{split}.png" for dataset, split in [*recorded, *rendered_sets()]]


def rendered_sets():
    """Dataset and split of the rendered frames that the config's trainings see, in the order of the sets."""
    modules = dict.fromkeys(name for name, _, _ in all_trainings() if can_be_told(name))
    learned = {settings.modules[name].learns for name in modules if renders(name)}
    held = [(HANDOBJECT.name, word) for word in HANDOBJECT.splits if word in learned]
    return [*held, *((HANDS.name, split) for split in HANDS.splits if any(map(learns_hands, modules)))]


def store_of(dataset, module, split):
    """The crops that a module sees of a split; what learns from rendered hands has others to learn from."""
    kept = split if split in DATASETS[dataset].splits else "all"
    centre = settings.centre_of(module, dataset)
    if learns_hands(module) and split == "train":
        return f"{RUN}/crop/{HANDS.name}/{settings.centre_of(module, HANDS.name)}/train/store.json"
    if renders(module):
        centre = f"{centre}-x2"
        if split == "train":
            dataset, kept = HANDOBJECT.name, settings.modules[module].learns
    return f"{RUN}/crop/{dataset}/{centre}/{kept}/store.json"


def renders(module):
    """Whether a module learns from rendered hands with objects."""
    return KINDS[settings.modules[module].kind].renders


def learns_hands(module):
    """Whether a module learns from rendered hands alone: one training serves all datasets."""
    return KINDS[settings.modules[module].kind].learns_hands


def trained_on(dataset, module):
    """The dataset that a module's checkpoint lies under."""
    return HANDS.name if learns_hands(module) else dataset


def turns_needed(wildcards):
    """The truth of rendered hands, for a module that learns the turns of their bones."""
    return [raw_data(HANDS.name)] if learns_hands(wildcards.module) else []


def turns_option(manifest):
    """The command line's words for it, if there is any."""
    return f"--truth {shlex.quote(os.path.join(os.path.dirname(manifest[0]), 'truth.npz'))}" if manifest else ""


def crop_size(larger):
    return settings.crop.size_px * (2 if larger else 1)


def trained(dataset, module, seed, fold=""):
    return f"{RUN}/train/{trained_on(dataset, module)}/{module}/seed{seed}{fold}/checkpoint.json"


def localizer_module(dataset):
    """The module that finds the centre of a dataset's localized crops; the config holds exactly one."""
    return settings.localizers_of(dataset)[0]


def localizer_of(dataset):
    """Its checkpoint with the first seed: the crops are the same for every seed of what learns from them."""
    return trained(dataset, localizer_module(dataset), settings.seeds[0])


def fitted(dataset, split):
    """The hand and its poses that explain the labels of a split."""
    return f"{RUN}/fit/{dataset}/{split}/fit.json"


def poses_needed(wildcards):
    """Fitted poses that a module learns from, where its kind does."""
    asks = KINDS[settings.modules[wildcards.module].kind].fitted
    return [fitted(wildcards.dataset, "train")] if asks else []


def poses_fitted_to_test(wildcards):
    """Fitted poses that the angles of a module are held against, where its kind gives any."""
    gives = KINDS[settings.modules[wildcards.module].kind].fitted
    return [fitted(wildcards.dataset, "test")] if gives else []


def labels_of(dataset, split):
    """The crops whose labels are fitted: those that deepmodel sees."""
    return f"{RUN}/crop/{dataset}/{settings.papers['deepmodel'].centre_on(dataset)}/{split}/store.json"


def hand_of(wildcards):
    """Test labels are fitted with the hand, and within the bounds, of the training's; ICVL's with the hand of NYU."""
    if wildcards.split == "test":
        return [fitted(wildcards.dataset, "train")]
    return [fitted("nyu", "train")] if wildcards.dataset == "icvl" and "nyu" in settings.use else []


def hand_option(fits):
    """The command line's words for the fit that a hand is taken from, if there is one."""
    return f"--hand {shlex.quote(os.path.dirname(fits[0]))}" if fits else ""


def truth_option(dataset):
    """The command line's words for the poses that embedded labels were made with."""
    embedded = settings.source == "embedded"
    return f"--truth {shlex.quote(f'{RUN}/synthesize/{dataset}/truth.npz')}" if embedded else ""


def evaluated_truth_option(module, dataset):
    """The same for evaluations; and for the hands that refine's predicted rotations are put on."""
    turns = settings.modules[module].kind.startswith("refine.")
    return truth_option(dataset) if turns else held_truth_option(module, dataset)


def bias_found(wildcards):
    """The probe of a refined network on training frames that are labelled: of it the skeleton's bias is taken out."""
    refined = settings.modules[wildcards.module].kind == "refine.adapted" and wildcards.dataset != WRISTBAND.name
    return [f"{RUN}/probe/{wildcards.dataset}/{wildcards.module}/seed{wildcards.seed}/probe.json"] if refined else []


def bias_option(probes):
    """The command line's words for that probe, if there is one."""
    return f"--bias {shlex.quote(probes[0])}" if probes else ""


def held_truth_option(module, dataset):
    """The same for the boxes that embedded hands hold, where a module has to know them."""
    return truth_option(dataset) if dataset == "dexter" and renders(module) else ""


def probe_truth_option(module, dataset):
    """The same for a probe, which may tell more where the truth is at hand."""
    asks = KINDS[settings.modules[module].kind].probes_truth
    return truth_option(dataset) if asks else held_truth_option(module, dataset)


def revised_option(dataset):
    """The command line's words for annotations in the place of the shipped ones, if the config names some."""
    revised = settings.datasets[dataset].revised if dataset in settings.datasets else None
    return f"--revised {shlex.quote(str(Path(revised).expanduser()))}" if revised and settings.source == "real" else ""


def published_fits(papers=PAPERS):
    """The fit of NYU's published labels, where the record is at hand or is to be fetched."""
    asked = "deepmodel" in papers and "nyu" in settings.use and published_manifest()
    return [fitted("nyu", "published")] if asked else []


def checkpoints_needed(wildcards):
    """What a module starts from: the checkpoints of those it needs, of the same data and seed."""
    return [
        trained(wildcards.dataset, needed, wildcards.seed, wildcards.fold)
        for needed in settings.modules[wildcards.module].needs
    ]


def checkpoints_of_folds(wildcards):
    """All that predicts the test frames of a dataset: one checkpoint, or one for each subject left out."""
    left_out = settings.modules[wildcards.module].folds or MSRA_SUBJECTS
    folds = [f"{os.sep}fold-{subject}" for subject in left_out] if wildcards.dataset == "msra" else [""]
    return [trained(wildcards.dataset, wildcards.module, wildcards.seed, fold) for fold in folds]


def needs_option(checkpoints):
    """The command line's words for the checkpoints that a module starts from, if there are any."""
    return "--needs " + " ".join(shlex.quote(os.path.dirname(card)) for card in checkpoints) if checkpoints else ""


def poses_option(fits):
    """The command line's words for fitted poses, if there are any."""
    return f"--poses {shlex.quote(os.path.dirname(fits[0]))}" if fits else ""


def fold_option(fold):
    """The command line's words for the subject left out, if there is one."""
    return f"--fold {fold.partition('-')[2]}" if fold else ""


def devices_option(module):
    """The command line's words for the devices that train a module together, if there are several."""
    asked = settings.modules[module]
    return f"--devices {asked.devices} --nodes {asked.nodes}" if asked.devices * asked.nodes > 1 else ""


def launch_words(module):
    """What starts a training on every machine of a Slurm job that has several."""
    nodes = settings.modules[module].nodes
    return f"srun --nodes={nodes} --ntasks={nodes} --ntasks-per-node=1 --kill-on-bad-exit " if nodes > 1 else ""


def settings_of(module):
    """A module's own settings as the command line takes them."""
    return [f"{name}={json.dumps(value)}" for name, value in settings.modules[module].settings.model_dump().items()]


def all_evaluations(papers=PAPERS, part=""):
    """Every module that gives joints, on each of its datasets in use, with every seed.

    A `part` is how the names of its modules begin.
    """
    return [
        f"{RUN}/evaluate/{dataset}/{name}/seed{seed}/evaluation.json"
        for name, dataset, seed in all_trainings(papers, part)
        if KINDS[settings.modules[name].kind].predicts and can_be_told(name)
    ]


def baseline_evaluations(paper):
    """Those of the baselines that a feedback paper's tables hold its loop against, whose papers are others as well."""
    if paper not in COMPARED:
        return []
    compared_on = {dataset for _, dataset, _ in all_trainings([paper])}
    return [
        f"{RUN}/evaluate/{dataset}/{name}/seed{seed}/evaluation.json"
        for name, dataset, seed in all_trainings()
        if name in BASELINES.values() and dataset in compared_on
    ]


def all_probes(papers=PAPERS, part=""):
    """Every module of which there is more to know."""
    return [
        f"{RUN}/probe/{dataset}/{name}/seed{seed}/probe.json"
        for name, dataset, seed in all_trainings(papers, part)
        if KINDS[settings.modules[name].kind].probes and is_one_network(name, dataset) and can_be_told(name)
    ]


def is_one_network(module, dataset):
    """MSRA, with a network for each subject, is probed where one subject alone is left out and a figure asks for it:
    Fig. 5 of crossing, those of the feedback loops."""
    asked = settings.modules[module]
    shown = asked.paper in ("crossing", "feedback15", "feedback19")
    return dataset != "msra" or (shown and len(asked.folds or MSRA_SUBJECTS) == 1)


def fold_probed(wildcards):
    """The one subject left out of a network of MSRA that is probed."""
    if wildcards.dataset != "msra":
        return ""
    return f"{os.sep}fold-{(settings.modules[wildcards.module].folds or MSRA_SUBJECTS)[0]}"


def can_be_told(module):
    """Whether the data at hand tell what a module of hand and object asks for: real frames neither where localizers'
    points are nor, unless the settings do, how large the boxes are."""
    if settings.source == "embedded" or not renders(module):
        return True
    return bool(getattr(settings.modules[module].settings, "boxes_mm", None))


def all_trainings(papers=PAPERS, part=""):
    """Module, dataset and seed of everything that the config trains for these papers, or for a part of theirs."""
    return [
        (name, dataset, seed)
        for name, module in settings.modules.items()
        for dataset in settings.use
        if dataset in module.datasets and module.paper in papers and name.startswith(part)
        for seed in settings.seeds
    ]


def published_manifest():
    """The published predictions: fetched if the config says so, else those that somebody has downloaded, else none."""
    by_hand = f"{RESULTS}/download/published/manifest.json"
    if settings.published.use:
        return [f"{RUN}/download/published/manifest.json"]
    return [by_hand] if os.path.isfile(by_hand) else []


def record_option(manifest):
    """The command line's words for the record, if there is one."""
    return f"--record {shlex.quote(os.path.join(os.path.dirname(manifest[0]), 'raw'))}" if manifest else ""


def mirrors_of(dataset):
    return settings.published.mirrors if dataset == "published" else settings.datasets[dataset].mirrors
