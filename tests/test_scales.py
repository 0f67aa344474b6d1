"""What the settings of a scale can decide: frames, subjects, rivals trained as long, ends that can be seen."""

from pathlib import Path

import pytest

from handbench.config import load_config
from handbench.conventions import SYNTHESIZED
from handbench.evaluation.claim_rivals import Training, describe_training, explain_shorter
from handbench.evaluation.claim_shares import RIVALS, SHARES, name_module
from handbench.training.fit import has_stopped_falling

LEAST_EPOCHS = 10
ROOT = Path(__file__).resolve().parents[1]
DEFAULT = ROOT / "config.yaml"


@pytest.mark.parametrize("overlay", ["claims", "paper"])
def test_what_is_compared_on_msra_leaves_out_the_same_subjects(overlay: str) -> None:
    """Results on other frames cannot be compared, and the claim would say so after hours."""
    modules = load_config([DEFAULT, ROOT / "config" / f"{overlay}.yaml"]).modules
    folds = {name: tuple(module.folds or ()) for name, module in modules.items() if "msra" in module.datasets}
    assert {"nn_search", "crossing", "crossing_posterior_2", "feedback15"} <= folds.keys()
    assert len(set(folds.values())) == 1, folds


def test_at_claims_scale_no_rival_is_trained_for_less() -> None:
    """Or its claims would say not-run after hours: a rival with fewer updates does not count."""
    modules = load_config([DEFAULT, ROOT / "config" / "claims.yaml"]).modules

    def length(name: str) -> Training | None:
        return describe_training(name, modules[name].settings.model_dump())

    for rivals, method in (
        (("feedback15_predictor", "feedback15_deepprior", "feedback15_updater_pooling"), "feedback15_updater"),
        (("feedback15_synthesizer_end_to_end", "feedback15_synthesizer_noise20"), "feedback15_synthesizer"),
        (("feedback19_predictor",), "feedback19_updater"),
        (("feedback19_joint_random",), "feedback19_joint"),
        (("deepmodel_direct_joint", "deepmodel_direct_parameter", "deepmodel_without_physical"), "deepmodel"),
        (("handobject_single",), "handobject_hand_localizer"),
        (("handobject_single",), "handobject_hand_updater"),
        (("handobject_hand_predictor", "handobject_object_predictor"), "handobject_hand_updater"),
        (("handobject_rotation",), "handobject_object_predictor"),
        (("crossing_posterior_2", "crossing_pretrained_2"), "crossing_2"),
        (("crossing_posterior_5", "crossing_pretrained_5"), "crossing_5"),
        (("crossing_posterior", "crossing_pretrained"), "crossing"),
        (("crossing_without_smoothness", "crossing_without_gan"), "crossing"),
    ):
        for rival in rivals:
            assert explain_shorter(length(rival), length(method)) == ""


@pytest.mark.parametrize("overlays", [("claims",), ("paper",), ("paper", "paper_short")], ids="-".join)
def test_every_training_is_long_enough_to_see_its_end(overlays: tuple[str, ...]) -> None:
    """Or claims that ask for it would say not-run after hours; a synthesizer's end shows in whole images alone."""
    modules = load_config([DEFAULT, *(ROOT / "config" / f"{name}.yaml" for name in overlays)]).modules
    epochs = {name: module.settings.model_dump().get("epochs") for name, module in modules.items() if module.datasets}
    assert has_stopped_falling([1.0] * LEAST_EPOCHS)
    short = {name: count for name, count in epochs.items() if count is not None and count < LEAST_EPOCHS}
    assert short == {}


def test_paper_scale_has_the_frames_of_the_real_releases() -> None:
    config = load_config([DEFAULT, ROOT / "config" / "paper.yaml"])
    assert {name: dataset.frames for name, dataset in config.datasets.items()} == {
        name: SYNTHESIZED[name].frames for name in config.datasets
    }


@pytest.mark.parametrize("short", [False, True])
def test_at_paper_scale_deepmodel_has_the_numbers_that_are_printed(short: bool) -> None:
    """Sections 3.2 and 4, of all variants: a steady rate without a rise; the short form has fewer epochs alone."""
    overlays = [ROOT / "config" / name for name in ("paper.yaml", "paper_short.yaml")[: 2 if short else 1]]
    modules = load_config([DEFAULT, *overlays]).modules
    variants = {name: one.settings.model_dump() for name, one in modules.items() if one.paper == "deepmodel"}
    assert len(variants) == 6
    printed = {"learning_rate": 0.003, "batch": 512, "momentum": 0.9, "dropout": 0.3, "channels": 8}
    ours = {"last_rate_share": 1.0, "warm_up_steps": 0, "epochs": 30 if short else 600}
    for name, settings in variants.items():
        assert {key: settings[key] for key in printed | ours} == printed | ours, name


@pytest.mark.parametrize("short", [False, True])
def test_at_paper_scale_refine_has_the_sizes_that_are_printed(short: bool) -> None:
    """Section 4.1, whatever the demo has; the short form shortens the base alone."""
    overlays = [ROOT / "config" / name for name in ("paper.yaml", "paper_short.yaml")[: 2 if short else 1]]
    config = load_config([DEFAULT, *overlays])
    base, *refined = (config.modules[name].settings.model_dump() for name in ("refine_base", "refine", "refine_depth"))
    assert (base["batch"], base["learning_rate"], base["dropout"], base["precision"]) == (200, 1e-3, 0.25, "float32")
    assert base["channels"] == [96, 256, 384, 384, 256]
    assert base["epochs"] == (10 if short else 30)
    for one in refined:
        assert (one["epochs"], one["batch"], one["learning_rate"], one["precision"]) == (10, 1000, 1e-5, "float32")
    assert [(one["collision_weight"] > 0, one["physical_weight"] > 0) for one in refined] == [
        (True, True),
        (False, False),
    ]
    assert config.render.sets["hands"].full == 200_000
    for name in ("refine_base", "refine", "refine_depth"):
        assert config.modules[name].datasets == ["nyu", "icvl", "wristband"]


CROSSING = {
    name: module.settings.model_dump()
    for name, module in load_config([DEFAULT, ROOT / "config" / "paper.yaml"]).modules.items()
    if module.kind.startswith("crossing.") and module.datasets == ["nyu", "icvl", "msra"]
}


@pytest.mark.parametrize("name", CROSSING)
def test_at_paper_scale_crossing_has_the_sizes_that_are_printed(name: str) -> None:
    """Sections 4.4, 5.1 and 5.2; the heads' 21 epochs are those of the authors' program."""
    [share] = [int(word) for word in name.split("_") if word.isdigit()] or [100]
    printed = {"epochs": 100, "epoch_steps": None, "batch": 64, "unlabelled": 64, "head_epochs": 21}
    printed |= {"learning_rate": 0.001, "generator_rate": 0.001, "last_rate_share": 1.0, "warm_up_steps": 0}
    printed |= {"labelled_share": share / 100, "latent_noise": 0.05, "precision": "float32"}
    printed |= {"equal": "epochs" if name.endswith("_epochs") else "updates"}
    printed |= {"smoothness": name != "crossing_without_smoothness", "gan": name != "crossing_without_gan"}
    # Each kind has some of them.
    assert {key: CROSSING[name].get(key, value) for key, value in printed.items()} == printed


def test_at_paper_scale_crossing_has_every_share_and_variant_on_three_data_sets() -> None:
    """Figs. 3 and 4."""
    bases = ("crossing", "crossing_vae", "crossing_alignment", "crossing_posterior", "crossing_pretrained")
    named = {name_module(base, share) for base in bases for share in SHARES}
    named |= {name_module(base, share, epochs=True) for base in RIVALS for share in SHARES}
    assert CROSSING.keys() == named | {"crossing_gan", "crossing_without_smoothness", "crossing_without_gan"}
