"""The card of a model: what it is, what it learned from, how far it errs, where it comes from."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from handbench.conventions import DATASETS, HANDOBJECT, HANDS
from handbench.datasets.files import digest_file
from handbench.datasets.store import CARD as STORE
from handbench.fitting.pose_file import CARD as POSES
from handbench.release.trained import Found
from handbench.sealed import seal
from handbench.training.checkpoint import CARD as CHECKPOINT
from handbench.training.handed_on import CONTENT, FORMAT, FRAME, TENSORS, VERSION

PAPERS = {
    "feedback15": "Oberweger, Wohlhart, Lepetit: Training a Feedback Loop for Hand Pose Estimation, ICCV 2015",
    "feedback19": "Oberweger, Wohlhart, Lepetit: Generalized Feedback Loop for Joint Hand-Object Pose Estimation, "
    "TPAMI 2019",
    "deepmodel": "Zhou, Wan, Zhang, Xue, Wei: Model-based Deep Hand Pose Estimation, IJCAI 2016",
    "refine": "Dibra, Wolf, Öztireli, Gross: How to Refine 3D Hand Pose Estimation from Unlabelled Depth Data?, "
    "3DV 2017",
    "crossing": "Wan, Probst, Van Gool, Yao: Crossing Nets: Combining GANs and VAEs with a Shared Latent Space for "
    "Hand Pose Estimation, CVPR 2017",
}
EMBEDDED, DEMO = "embedded", "demo"
OWN_LICENCE = "MIT: the data are synthesized by this program"
OF_PROTOCOL = ("dataset", "split", "frames", "centre", "cube_mm", "camera", "size_px")
RENDERED = {one.name: one for one in (HANDS, HANDOBJECT)}


def describe_model(
    name: str,
    one: Found,
    protocol: Mapping[str, Any],
    error: Mapping[str, Any],
    real: Mapping[str, Any] | None,
    frame: Mapping[str, Any],
) -> dict[str, Any]:
    """All but the digests of the files."""
    card, made = one.card, one.read_call()
    return {
        "format": FORMAT,
        "version": VERSION,
        "name": name,
        "module": card["module"],
        "kind": card["kind"],
        "paper": card["paper"],
        "citation": PAPERS.get(card["paper"], ""),
        "data": {
            "dataset": card["dataset"],
            "source": card["source"],
            "scale": one.place.scale,
            "frames": card["frames"],
            "centre": card["centre"]["strategy"],
            "size_px": card["size_px"],
            "licence": name_licence(card["dataset"], card["source"]),
        },
        "training": {
            "seed": card["seed"],
            "converged": card["converged"],
            "settings": {part["module"]: part["settings"] for part in list_parts(card)},
        },
        "protocol": {key: protocol[key] for key in OF_PROTOCOL}
        | {"joints": _name_measured(one, protocol), "source": protocol["source"]},
        "error": dict(error),
        "real_frame": None if real is None else dict(real),
        "precision": "float16",
        "frame": dict(frame),
        "commit": made["commit"],
        "command": shorten(made["command"]) or tell_training(card),
        "inputs": tell_inputs(one),
        "again": [tell_training(part) for part in list_parts(card)],
        "licence": "MIT",
        "checkpoint": card,
    }


def list_parts(card: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What a whole is put together from, in the order of training, then itself."""
    return [*(one for part in card["parts"] for one in list_parts(part)), card]


def name_licence(dataset: str, source: str) -> str:
    """Under which the data are."""
    if source == EMBEDDED or dataset not in DATASETS:
        return OWN_LICENCE if source == EMBEDDED else RENDERED[dataset].licence
    return f"{DATASETS[dataset].licence} ({DATASETS[dataset].citation})"


def shorten(command: str | None) -> str | None:
    """A call without the folder of its program."""
    if not command:
        return None
    program, _, words = command.partition(" ")
    return f"{Path(program).name} {words}"


def tell_inputs(one: Found) -> str:
    """The call of the workflow that makes what the training commands read: crops, poses, what was trained before."""
    wanted: dict[str, None] = {}
    for part in list_parts(one.card):
        poses = part.get("poses")
        files = [f"{part['store']}/{STORE}", *([f"{poses['path']}/{POSES}"] if poses else [])]
        files += [f"{need['path']}/{CHECKPOINT}" for need in part["needs"]]
        wanted |= dict.fromkeys(target for target in map(one.as_target, files) if target)
    # As config/ names its files; the demo is what config.yaml says by itself.
    laid = [one.place.scale] if one.place.scale != DEMO else []
    laid += ["real"] if one.place.source == "real" else []
    words = ["snakemake", *wanted, "--cores", "all"]
    return shlex.join([*words, *(["--configfile", *(f"config/{name}.yaml" for name in laid)] if laid else [])])


def tell_training(card: Mapping[str, Any]) -> str:
    """The command that trains it again on the same crops; defaults stand written out."""
    words = ["handbench", "train", card["kind"], "--module", card["module"], "--paper", card["paper"]]
    words += ["--store", card["store"], "--seed", str(card["seed"]), "--threads", str(card["threads"])]
    words += ["--needs", *(need["path"] for need in card["needs"])] if card["needs"] else []
    words += ["--poses", card["poses"]["path"]] if card.get("poses") else []
    words += ["--set", *(f"{key}={json.dumps(value)}" for key, value in card["settings"].items())]
    return shlex.join([*words, "--out", f"trained/{card['module']}"])


def seal_files(card: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The card with size and digest of every file beside it."""
    told = {name: {"bytes": (folder / name).stat().st_size, "sha256": digest_file(folder / name)} for name in CONTENT}
    return seal({**card, "files": told})


def render_card(card: Mapping[str, Any]) -> str:
    """The same for people."""
    data, error, protocol = card["data"], card["error"], card["protocol"]
    lines = [f"# {card['name']}", "", f"{card['citation'] or card['paper']}. Reproduced by handbench.", ""]
    rows = {
        "kind": f"`{card['kind']}`, module `{card['module']}`",
        "learned from": f"{data['frames']:,} {data['source']} frames of {data['dataset']}, {data['size_px']} pixels, "
        f"crops around `{data['centre']}`",
        "scale": f"{data['scale']}, seed {card['training']['seed']}, "
        + (
            "its validation error had stopped falling"
            if card["training"]["converged"]
            else "its validation error still fell"
        ),
        **tell_checkpoint(card["checkpoint"]),
        "licence of the data": data["licence"],
        "licence of the weights": card["licence"],
        "protocol": f"{error['frames']:,} {protocol['source']} test frames of {protocol['dataset']}, crops around "
        f"`{protocol['centre']['strategy']}`; {protocol['joints']}",
        "error, half precision": tell_error(error["float16"]),
        "error, full precision": tell_error(error["float32"]),
        "half less full": tell_error(error["float16_less_float32"], digits=4),
        "on a real NYU frame": tell_real(card["real_frame"]),
        "commit": f"`{card['commit']}`",
        "command": f"`{card['command']}`",
    }
    lines += ["| | |", "|---|---|", *(f"| {key} | {value} |" for key, value in rows.items()), ""]
    lines += ["The workflow makes what the parts learn from:", "", f"    {card['inputs']}", ""]
    lines += ["Then each part by itself:", "", *(f"    {one}" for one in card["again"]), ""]
    if card["data"]["source"] == EMBEDDED:
        lines += ["Embedded frames are synthesized: an error on them says little of real ones.", ""]
    return "\n".join(
        [
            *lines,
            f"`{TENSORS}` holds the state dict in half precision, `{FRAME}` a test crop; `handbench "
            "models verify` predicts it and compares.",
            "",
        ]
    )


def tell_checkpoint(card: Mapping[str, Any]) -> dict[str, str]:
    """What the training itself has to say: how few of its frames had labels, and what it remarked."""
    share, remarks = card["settings"].get("labelled_share", 1), card.get("remarks")
    told = {"labels": f"of {100 * share:g} % of the frames that it learned from"} if share < 1 else {}
    return told | ({"remarked in training": "; ".join(remarks)} if remarks else {})


def tell_error(told: Mapping[str, Any], digits: int = 2) -> str:
    low_high = told["interval_mm"]
    between = f" [{low_high[0]:.{digits}f}, {low_high[1]:.{digits}f}]" if low_high else ""
    return f"{told['mean_mm']:.{digits}f} mm{between}"


def tell_real(told: Mapping[str, Any] | None) -> str:
    """The errors on the one real frame, which is no test set."""
    if told is None:
        return "not measured"
    words = {
        "found_mm": "as `handbench predict` finds the hand",
        "labelled_centre_mm": "with the cube around the label, as in training",
        "centre_of_mass_mm": "of the centre of mass, where it starts",
        "found_float32_mm": "the same in full precision",
    }
    return "; ".join(f"{told[key]:.1f} mm {words[key]}" for key in told) + " (one frame)"


def _name_measured(one: Found, protocol: Mapping[str, Any]) -> str:
    if one.is_localizer:
        return f"distance of the cube's centre from {one.card['settings']['joint']}"
    return f"mean distance of the {len(protocol['scored'])} scored joints"
