"""One module trained on one split of crops with one seed: what `handbench train` does."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from handbench.conventions import BOXES, HANDS
from handbench.datasets.hands import read_quaternions
from handbench.datasets.lock import hold_alone
from handbench.datasets.torch_dataset import CropDataset, open_crops
from handbench.digest import stage_digest
from handbench.errors import BadInput
from handbench.fitting.pose_check import check_frames, check_origin
from handbench.fitting.pose_file import FittedPoses, load_poses
from handbench.loop import processes
from handbench.methods import State, load_method
from handbench.modules import KINDS, Settings, check_settings, explain_needs, explain_spread, method_file
from handbench.provenance import tell_commit
from handbench.sealed import SEAL, seal
from handbench.training.checkpoint import CARD, COMMIT, Checkpoint, load_checkpoint, save_checkpoint
from handbench.training.fit import Fit
from handbench.training.launch import Place, find_place, stand_together
from handbench.training.memory import keep_memory
from handbench.training.rendered_sets import RENDERED, merge_rendered, tell_rendered
from handbench.training.tracking import open_run


@dataclass(frozen=True)
class Job:
    """What is trained: its kind, the name it has in the config, and whose it is."""

    kind: str
    module: str
    paper: str
    settings: Mapping[str, Any]
    seed: int
    fold: str | None
    threads: int = 1
    devices: int = 1
    nodes: int = 1
    needs: tuple[Path, ...] = ()
    """Checkpoints that it starts from, in the order of its kind's needs."""
    poses: Path | None = None
    """What `handbench fit` has left of the frames that it learns from, where its kind asks for it."""
    truth: Path | None = None
    """The truth.npz of rendered hands, where its kind learns the turns of bones from them."""


SAME = ("dataset", "fold", "centre", "size_px", "joints")
"""What the modules of a chain must agree in."""
SHARE = "labelled_share"
"""The setting of what learns from the labels of some frames alone (loop/labelled_share.py)."""
LABELLED_BY = {"seed": "seed", "sha256_of_store": "crops of sha256"}
"""What of a card decides which frames these are."""


def train(job: Job, store: Path, out: Path, *, call: Path | None = None, log_model: bool = False) -> str:
    """Train, save the checkpoint in `out`, track the run; returns one line that says what was done.

    With several devices this process starts the others and is the only one that writes. `log_model` tracks the whole
    model with its signature beside it.
    """
    task, place = prepare(job, store), find_place(job.devices, job.nodes)
    beside, commit = partial(train_beside, job, store, out), tell_commit(call)
    if place.rank:
        with stand_together(place, beside):
            task.learn(out)
        return f"{job.module}: node {place.node} has trained it with the others; the first one writes"
    with hold_alone(out), _track(job, task.card, out, call, commit) as tracked:
        with stand_together(place, beside):
            state, fit = task.learn(out, tracked.log)
        _check_finite(state, job)
        held = task.needs if KINDS[job.kind].whole else []
        # Of what is only put together, every part must have come to its end.
        converged = fit.converged if fit.shown else all(one.card["converged"] is True for one in held)
        remarks = [*fit.remarks, *_tell_mixed(task.card[RENDERED])]
        made = {"converged": converged, "remarks": remarks, COMMIT: commit}
        save_checkpoint(out, state, task.card | made, parts=held)
        tracked.log_file(out / CARD)
        fit.forget()
        if log_model:
            # Two frames: of one alone the number would be taken for fixed.
            example = torch.stack([task.crops[min(row, len(task.crops) - 1)]["depth"] for row in (0, 1)])
            tracked.log_model(load_checkpoint(out).trained.build().cpu(), example.numpy())
    if not fit.shown:
        together = f"{job.module} put together from {', '.join(one.card['module'] for one in task.needs)}"
        return "; ".join([together, *remarks])
    shown = ", ".join(f"{name} {value:.4g}" for name, value in fit.shown.items())
    return "; ".join([f"{job.module} trained on {len(task.crops):,} frames: {shown}", *remarks])


@dataclass(frozen=True)
class Task:
    """All that a training starts from, checked."""

    job: Job
    settings: Settings
    crops: CropDataset
    needs: list[Checkpoint]
    poses: FittedPoses | None
    quaternions: torch.Tensor | None
    card: dict[str, Any]

    def learn(self, out: Path, log: Callable[[Mapping[str, float], int], None] | None = None) -> tuple[State, Fit]:
        """What is learned and how it went; a process that `log` nothing trains with others."""
        torch.set_num_threads(self.job.threads)
        keep_memory()
        processes.seed(self.job.seed)
        fit = Fit(
            self.job.seed,
            out,
            log or _keep_quiet,
            needs=tuple(one.trained for one in self.needs),
            poses=self.poses,
            quaternions=self.quaternions,
            key=_digest(self.card),
        )
        return load_method(self.job.kind).train(self.crops, self.settings, fit), fit


def prepare(job: Job, store: Path, *, verify: bool = True) -> Task:
    """Read what is needed, or say what is wrong with it; `verify` reads all crops to see that they are whole."""
    settings = check_settings(job.kind, job.settings)
    if told := explain_spread(job.kind, settings, job.devices * job.nodes):
        fix = "leave --devices and --nodes out, or change them or the batch"
        raise BadInput(job.module, expected="processes that can train it together", found=told, fix=fix)
    crops = open_crops(store=store, split="train" if job.fold else None, fold=job.fold, joints="scored", verify=verify)
    needs = [load_checkpoint(folder) for folder in job.needs]
    poses, quaternions = _load_poses(job, crops), _load_quaternions(job, crops)
    card = _describe(job, settings.model_dump(), crops, needs) | {"poses": _describe_poses(job, poses, crops)}
    _check_needs(job, card, needs)
    return Task(job, settings, crops, needs, poses, quaternions, card)


def train_beside(job: Job, store: Path, out: Path, place: Place) -> None:
    """What a process for a further device does: the first one has looked whether the crops are whole."""
    prepare(job, store, verify=False).learn(out)


def _keep_quiet(metrics: Mapping[str, float], step: int) -> None:
    """The first process tells the numbers of all."""


def _tell_mixed(sets: Mapping[str, str]) -> list[str]:
    """Parts may learn from other sets, as the loop for an object of several parts does; it has to be said."""
    return [f"learned from several rendered sets: {tell_rendered(sets)}"] if len(sets) > 1 else []


def _describe(job: Job, settings: dict[str, Any], crops: CropDataset, needs: Sequence[Checkpoint]) -> dict[str, Any]:
    protocol = crops.store.card["protocol"]
    return {
        "kind": job.kind,
        "module": job.module,
        "paper": job.paper,
        "settings": settings,
        "seed": job.seed,
        "fold": job.fold,
        "threads": job.threads,
        "devices": job.devices,
        "nodes": job.nodes,
        "dataset": protocol["dataset"],
        "centre": protocol["centre"],
        "size_px": protocol["size_px"],
        "frames": len(crops),
        "joints": list(crops.joint_names),
        "store": crops.store.path.as_posix(),
        "sha256_of_store": crops.store.card["sha256"],
        RENDERED: merge_rendered(protocol.get(RENDERED, {}), [one.card for one in needs]),
        "held": describe(crops) if (describe := load_method(job.kind).describe_held) else None,
        "source": protocol["source"],
        "needs": [
            {"module": one.card["module"], "path": one.folder.as_posix(), "sha256": one.card["sha256"]} for one in needs
        ],
    }


def _load_poses(job: Job, crops: CropDataset) -> FittedPoses | None:
    """Those of the training's own frames, for the kinds that ask for them and for no others."""
    asks = KINDS[job.kind].fitted
    if asks != (job.poses is not None):
        expected, found = ("--poses with poses fitted to its frames", "none") if asks else ("no --poses", "a folder")
        fix = "run `handbench fit` on the training split and name its folder" if asks else "leave it out"
        raise BadInput(job.module, expected=f"{expected} for the kind {job.kind}", found=found, fix=fix)
    if job.poses is None:
        return None
    poses, store = load_poses(job.poses), crops.store
    check_origin(job.poses, poses, store.card["protocol"])
    labels_mm = np.asarray(store.joints_mm)[crops.places][:, list(store.scored)]
    check_frames(job.poses, poses, np.asarray(store.row)[crops.places], labels_mm, store.path)
    return poses


def _load_quaternions(job: Job, crops: CropDataset) -> torch.Tensor | None:
    """Those of the rendered hands that the crops show, for the kinds that learn from them and for no others."""
    asks = KINDS[job.kind].learns_hands
    if asks != (job.truth is not None):
        expected, found = ("--truth with the truth.npz of its frames", "none") if asks else ("no --truth", "a file")
        fix = "name the one that `handbench render hands` left" if asks else "leave it out"
        raise BadInput(job.module, expected=f"{expected} for the kind {job.kind}", found=found, fix=fix)
    if job.truth is None:
        return None
    protocol = crops.store.card["protocol"]
    if protocol["dataset"] != HANDS.name:
        raise BadInput(
            crops.store.path,
            expected=f"crops of the rendered set {HANDS.name}",
            found=protocol["dataset"],
            fix="run `handbench render hands`, then `handbench crop hands --split train --centre block`",
        )
    every = torch.from_numpy(read_quaternions(job.truth, protocol["frames"]))
    return every[torch.from_numpy(np.asarray(crops.store.row)[crops.places].astype(np.int64))]


def _describe_poses(job: Job, poses: FittedPoses | None, crops: CropDataset) -> dict[str, Any] | None:
    """Which poses they were, and what whoever reads angles has to know: the hand, its size and its bounds."""
    if job.poses is None or poses is None:
        return None
    told = {key: poses.card[key] for key in ("hand", "keypoints_mm", "limits_rad", "sha256_of_file")}
    return {"path": job.poses.as_posix(), **told, "cube_mm": float(crops.store.cube_mm[crops.places[0]])}


def _check_needs(job: Job, card: Mapping[str, Any], needs: Sequence[Checkpoint]) -> None:
    """Each plays the part that the kind asks for, on the same frames of the same hand."""
    if told := explain_needs(job.kind, [one.card["kind"] for one in needs]):
        fix = "name their checkpoints in this order" if KINDS[job.kind].needs else "leave --needs out"
        raise BadInput(job.module, expected="--needs that its kind can start from", found=told, fix=fix)
    for one in needs:
        # What learned from rendered hands is there for every dataset.
        same = set(SAME) - ({"dataset", "joints"} if KINDS[one.card["kind"]].learns_hands else set())
        if KINDS[one.card["kind"]].learns_hands and card["centre"]["strategy"] in BOXES:
            same -= {"centre"}
        wrong = [key for key in SAME if key in same and one.card[key] != card[key]]
        if wrong:
            raise BadInput(
                one.folder,
                expected=f"a checkpoint with {wrong[0]} {card[wrong[0]]}",
                found=str(one.card[wrong[0]]),
                fix="train both on the same crops",
            )
    _check_labels(card, needs)
    if KINDS[job.kind].one_chain:
        _check_chain(needs)


def _check_labels(card: Mapping[str, Any], needs: Sequence[Checkpoint]) -> None:
    """Modules that learned from the labels of other frames would have seen more of them together than their share."""
    share = card["settings"].get(SHARE, 1)
    for one in needs if share < 1 else ():
        for key, what in LABELLED_BY.items():
            if SHARE in one.card["settings"] and one.card[key] != card[key]:
                raise BadInput(
                    one.folder,
                    expected=f"a checkpoint with {what} {card[key]}, by which {share:g} of the labels are chosen",
                    found=str(one.card[key]),
                    fix="train both with the same seed on the same crops",
                )


def _check_chain(needs: Sequence[Checkpoint]) -> None:
    """What one of them has started from is what stands beside it, and no other."""
    given = {KINDS[one.card["kind"]].gives: one for one in needs}
    for one in needs:
        for part, began in zip(KINDS[one.card["kind"]].needs, one.card["needs"], strict=False):
            if part in given and given[part].card["sha256"] != began["sha256"]:
                raise BadInput(
                    one.folder,
                    expected=f"a checkpoint that started from {given[part].folder}",
                    found=f"one that started from another {part}, {began['path']} as it was then",
                    fix="name that one, or train it again from this one",
                )


def _digest(card: Mapping[str, Any]) -> str:
    """All that a half-done training must agree in with the one that goes on from it: settings, crops, seed and code."""
    told = {**card, "sources": stage_digest("train", method_file(card["kind"]))}
    return str(seal(told)[SEAL])[:16]


def _check_finite(state: Mapping[str, torch.Tensor], job: Job) -> None:
    wrong = [name for name, value in state.items() if not value.isfinite().all()]
    if wrong:
        raise BadInput(
            job.module,
            expected="finite weights at the end of the training",
            found=f"NaN or infinity in {wrong[0]}",
            fix="lower the learning rate",
        )


def _track(job: Job, card: Mapping[str, Any], out: Path, call: Path | None, commit: str | None) -> Any:
    # The path and the call say the rest: tracking takes it from there.
    tags = {
        "stage": "train",
        "paper": job.paper,
        "module": job.module,
        "dataset": card["dataset"],
        "seed": str(job.seed),
        "fold": job.fold or "",
        "source": card["source"],
        "commit": commit or "",
    }
    params = {"kind": job.kind, "seed": job.seed, "frames": card["frames"], "size_px": card["size_px"]}
    params |= {f"needs_{one['module']}": one["sha256"] for one in card["needs"]}
    params |= {f"rendered_{word}": sha256 for word, sha256 in card[RENDERED].items()}
    params |= {"poses": card["poses"]["sha256_of_file"]} if card["poses"] else {}
    params |= {"centre": card["centre"]["strategy"], **{str(k): v for k, v in job.settings.items()}}
    name = f"train {card['dataset']} {job.module} seed {job.seed}" + (f" fold {job.fold}" if job.fold else "")
    return open_run(out, experiment=job.paper, name=name, params=params, tags=tags, call=call)
