"""Layers, one-line errors that name the right key, and a schema file that is current."""

from pathlib import Path

import pytest
import yaml

from handbench.config import Config, check_config, lay_over, load_config, schema
from handbench.conventions import SYNTHESIZED, TRAINABLE
from handbench.errors import BadInput
from handbench.module_entries import LOCALIZED

ROOT = Path(__file__).resolve().parents[1]
DEFAULT = ROOT / "config.yaml"
OVERLAYS = sorted((ROOT / "config").glob("*.yaml"))


def refuse(values: dict) -> str:
    with pytest.raises(BadInput) as caught:
        check_config(values)
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_lay_over_merges_tables_and_replaces_the_rest() -> None:
    below = {"a": {"x": 1, "y": [1, 2]}, "b": 3}
    above = {"a": {"y": [9]}, "c": {"z": 0}}
    assert lay_over(below, above) == {"a": {"x": 1, "y": [9]}, "b": 3, "c": {"z": 0}}
    assert below == {"a": {"x": 1, "y": [1, 2]}, "b": 3}


def test_the_default_is_ten_thousand_embedded_frames() -> None:
    config = load_config([DEFAULT])
    assert (config.scale, config.source) == ("demo", "embedded")
    assert config.run_folder == Path("results/demo-embedded")
    assert sum(sum(config.datasets[name].frames.values()) for name in config.use) == 10330


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.stem)
def test_every_overlay_is_valid_over_what_it_is_laid_over(overlay: Path) -> None:
    # paper_short.yaml is another size of the scale called paper, and is laid over that.
    below = [ROOT / "config" / "paper.yaml"] if overlay.stem == "paper_short" else []
    config = load_config([DEFAULT, *below, overlay])
    word = overlay.stem.partition("_")[0]
    if word in ("smoke", "claims", "paper", "real"):  # others add a method or a dataset to whatever scale is run
        assert word == (config.source if word == "real" else config.scale)


def test_real_lies_over_any_scale() -> None:
    config = load_config([DEFAULT, ROOT / "config" / "paper.yaml", ROOT / "config" / "real.yaml"])
    assert config.run_folder == Path("results/paper-real")


@pytest.mark.parametrize(
    ("place", "wrong", "right"),
    [
        ((), "sacle", "scale"),
        (("crop",), "sizepx", "size_px"),
        (("datasets",), "nyuu", "nyu"),
        (("datasets", "icvl"), "centers", "centres"),
        (("datasets", "msra"), "allow_skip", "allow_skips"),
        (("papers", "refine"), "center", "centre"),
    ],
)
def test_a_misspelt_key_names_its_path_and_the_nearest(values: dict, place: tuple, wrong: str, right: str) -> None:
    table = values
    for key in place:
        table = table[key]
    table[wrong] = table.pop(right)
    line = refuse(values)
    assert f"found {'.'.join((*place, wrong))} " in line
    assert line.endswith(f"did you mean {right}?")


def test_a_misspelt_paper_has_no_modules(values: dict) -> None:
    """Whoever adds a paper names it as they like, so that no list can tell."""
    values["papers"]["crosing"] = {"centre": "joint"}
    assert "papers: no module belongs to 'crosing'; the nearest that has some is 'crossing'" in refuse(values)
    values["modules"]["nn_search"]["paper"] = "crosing"
    assert check_config(values).centre_of("nn_search", "nyu") == "joint"


def test_a_key_like_no_other_lists_the_known_ones(values: dict) -> None:
    values["crop"]["qqq"] = 1
    assert refuse(values) == "config: expected only known keys, found crop.qqq (known here: size_px); remove it"


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("scale", "dmo", "scale to be 'smoke', 'demo', 'claims' or 'paper', found 'dmo'"),
        ("seeds", [-1], "seeds.0 to be greater than or equal to 0, found -1"),
        ("seeds", 0, "seeds to be a list, found 0"),
        ("crop", None, "crop to be a dictionary, found None"),
        ("crop", {"size_px": "128"}, "crop.size_px to be an integer, found '128'"),
        (
            "use",
            ["nyu", "hands"],
            f"use.1 to be {str(list(SYNTHESIZED)[:-1])[1:-1]} or {list(SYNTHESIZED)[-1]!r}, found 'hands'",
        ),
        ("renderer", True, "renderer to be 'auto', 'software' or 'opengl', found True"),
    ],
)
def test_a_wrong_value_is_one_line(values: dict, key: str, value: object, said: str) -> None:
    values[key] = value
    assert said in refuse(values)


def test_a_missing_key_is_one_line(values: dict) -> None:
    del values["crop"]
    assert "expected a value for crop, found none" in refuse(values)


def test_splits_are_those_of_the_dataset(values: dict) -> None:
    values["datasets"]["nyu"]["frames"] = {"train": 1, "tset": 1}
    assert "datasets.nyu.frames has 'tset'; the nearest that nyu has is 'test'" in refuse(values)
    values["datasets"]["nyu"]["frames"] = {"train": 1}
    assert "datasets.nyu.frames has train where train, test belong" in refuse(values)


@pytest.mark.parametrize("centre", ["cmo", "joint-", "joint-../x", "joint-a/b", ""])
def test_a_centre_is_a_known_word(values: dict, centre: str) -> None:
    values["datasets"]["nyu"]["centres"] = [centre]
    known = "joint, com, block, seen, localized, joint-<name>, com-<mm>"
    assert f"centre {centre!r} where {known} belong" in refuse(values)


def test_a_centre_joint_is_one_of_the_dataset(values: dict) -> None:
    values["datasets"]["nyu"]["centres"] = ["joint-PLAM_5"]
    assert "names joint 'PLAM_5'; the nearest that nyu has is 'PALM_5'" in refuse(values)


def test_a_dataset_in_use_has_settings(values: dict) -> None:
    del values["datasets"]["icvl"]
    assert "use: 'icvl' has no entry under datasets" in refuse(values)


def test_nobody_publishes_a_recording_of_ones_own(values: dict) -> None:
    values |= {"source": "real", "use": ["wristband"]}
    with pytest.raises(BadInput, match=r"datasets\.wristband\.path: nobody publishes this set"):
        check_config(values)
    values["datasets"]["wristband"]["path"] = "my recording"
    assert check_config(values).use == ["wristband"]


def test_the_schema_file_is_current() -> None:
    path = ROOT / "workflow" / "schemas" / "config.schema.yaml"
    assert yaml.safe_load(path.read_text()) == schema(), "run make schema"


def test_the_schema_refuses_what_the_model_refuses(values: dict) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.validate(values, schema())
    values["sacle"] = "demo"
    with pytest.raises(jsonschema.ValidationError, match="sacle"):
        jsonschema.validate(values, schema())


def test_every_key_of_the_model_is_explained_in_config_yaml() -> None:
    text = DEFAULT.read_text()
    for name in Config.model_fields:
        position = text.index(f"\n{name}:")
        above = text[:position].rstrip("\n").rsplit("\n", 1)[-1]
        inside = text[position:].split("\n", 2)[2]
        assert above.startswith("#") or inside.lstrip().startswith("#"), f"{name} has no comment"


@pytest.mark.parametrize(
    ("patch", "said"),
    [
        ({"settings": {"componets": 3}}, r"found modules.nn_search.settings.componets .* did you mean components\?"),
        ({"settings": {"components": "3"}}, "expected modules.nn_search.settings.components to be an integer"),
        (
            {"kind": "oracle"},
            "nn_search.kind to be 'nearest_neighbour' or 'feedback15.predictor' or .*, found 'oracle'",
        ),
        ({"titel": "a"}, r"found modules.nn_search.titel .* did you mean title\\?"),
        ({"needs": ["nn_serch"]}, "needs 'nn_serch'; the nearest module there is 'nn_search'"),
        ({"needs": ["nn_search"]}, "need one another in a circle: nn_search -> nn_search"),
        ({"centre": "joint-foo"}, "modules.nn_search names joint 'foo'"),
        (
            {"datasets": ["wristband"]},
            "modules.nn_search learns from labels, and the training frames of wristband have none",
        ),
        ({"datasets": ["nyu", "msra14"]}, f"msra14 has no split to train on; {', '.join(TRAINABLE)} have"),
        ({"datasets": ["nyu", "nyu"]}, "a dataset stands twice in nyu, nyu"),
        ({"needs": ["feedback15_predictor"]}, "nearest_neighbour needs nothing, not predictor"),
    ],
)
def test_a_wrong_module_is_one_line(values: dict, patch: dict, said: str) -> None:
    values["modules"]["nn_search"] |= patch
    with pytest.raises(BadInput, match=said) as caught:
        check_config(values)
    assert "\n" not in str(caught.value)


def test_what_learned_from_rendered_hands_sees_boxes_alone(values: dict) -> None:
    values["modules"]["refine_base"]["datasets"] = ["nyu", "icvl", "wristband"]
    values["papers"]["refine"]["centres"] = {"icvl": "seen", "wristband": "seen"}
    assert check_config(values).centre_of("refine_base", "icvl") == "seen"
    values["papers"]["refine"]["centres"]["icvl"] = "com"
    with pytest.raises(BadInput, match="learns from crops of centre block: icvl takes block or seen, not com"):
        check_config(values)


def test_a_module_sees_the_crops_of_its_paper_or_its_own(values: dict) -> None:
    assert check_config(values).centre_of("nn_search", "nyu") == "com"
    values["modules"]["nn_search"]["centre"] = "joint"
    assert check_config(values).centre_of("nn_search", "nyu") == "joint"


def test_a_paper_names_another_centre_where_a_dataset_has_no_such_joint(values: dict) -> None:
    config = check_config(values)
    assert [config.centre_of("deepmodel", name) for name in ("nyu", "icvl")] == ["joint-PALM_5", "joint"]
    values["papers"]["deepmodel"]["centres"] = {}
    values["modules"]["deepmodel"]["datasets"] = ["icvl"]
    with pytest.raises(BadInput, match=r"modules\.deepmodel names joint 'PALM_5'"):
        check_config(values)


@pytest.mark.parametrize(
    ("module", "patch", "said"),
    [
        ("feedback15_updater", {"needs": []}, "needs a predictor, then a synthesizer, not nothing"),
        (
            "feedback15_updater",
            {"needs": ["feedback15_synthesizer", "feedback15_predictor"]},
            "needs a predictor, then a synthesizer, not synthesizer, predictor",
        ),
        ("feedback15", {"datasets": ["nyu", "icvl"]}, "runs on icvl, where feedback15_predictor, which it needs, does"),
        ("deepmodel", {"datasets": ["msra"]}, "from one fitted hand, which nyu and icvl have and msra has not"),
        ("feedback15", {"centre": "joint"}, "which it needs, see crops of different centres"),
        (
            "feedback19_joint",
            {"needs": ["feedback15_predictor", "feedback15_synthesizer", "feedback15_updater"]},
            "feedback19.joint trains on what it needs, and knows no feedback15.predictor",
        ),
        (
            "feedback15_lbfgsb",
            {"needs": ["feedback15_predictor", "feedback15_hand"]},
            "image_search follows the gradient of a synthesizer network, and hand_renderer has none",
        ),
        ("feedback15_updater", {"settings": {"truth_share": 0.8, "error_share": 0.8}}, "at most 1 together, not 1.6"),
        ("feedback15_predictor", {"settings": {"learning_rate": float("inf")}}, "a finite number"),
        ("feedback15_predictor", {"folds": ["P0", "P0"]}, "P0, P0 where each subject may stand once"),
    ],
)
def test_modules_that_do_not_fit_together_are_one_line(values: dict, module: str, patch: dict, said: str) -> None:
    values["modules"][module] |= patch
    with pytest.raises(BadInput, match=said):
        check_config(values)


@pytest.mark.parametrize(
    ("patch", "said"),
    [
        ({"crop": {"size_px": 100}}, "crop.size_px: modules.feedback15_predictor takes multiples of 8, not 100"),
        ({"crop": {"size_px": 96}}, "crop.size_px: modules.feedback15_synthesizer takes 16, 32, 64, .* not 96"),
        (
            {"crop": {"size_px": 32}},
            "modules.feedback15_synthesizer: stage_epochs has 3 numbers, and a patch of 32 2 st",
        ),
        ({"seeds": [0, 1, 0]}, "seeds: one stands twice in 0, 1, 0"),
        ({"use": ["nyu", "nyu"]}, "use: one stands twice in nyu, nyu"),
    ],
)
def test_what_would_fail_late_is_told_at_once(values: dict, patch: dict, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        check_config(values | patch)


LOCALIZER = {"datasets": ["nyu"]}
PREDICTOR = {"datasets": ["nyu"], "centre": "localized"}


def test_localized_crops_have_one_localizer(values: dict) -> None:
    values["datasets"]["nyu"]["centres"].append(LOCALIZED)
    values["modules"]["feedback19_localizer"] |= LOCALIZER
    values["modules"]["feedback19_predictor_localized"] |= PREDICTOR
    config = check_config(values)
    assert config.localizers_of("nyu") == ["feedback19_localizer"]
    assert config.localizers_of("icvl") == []
    # Where every module of the paper sees localized crops, the localizer itself sees others.
    values["papers"]["feedback19"]["centre"] = LOCALIZED
    values["modules"]["feedback19_localizer"]["centre"] = "com"
    assert check_config(values).centre_of("feedback19_predictor", "nyu") == LOCALIZED


@pytest.mark.parametrize(
    ("patches", "said"),
    [
        (
            {"feedback19_predictor_localized": PREDICTOR},
            "modules.feedback19_predictor_localized: localized crops of nyu need one module of kind "
            "feedback19.localizer, not none",
        ),
        (
            {
                "feedback19_localizer": LOCALIZER,
                "feedback19_predictor_localized": PREDICTOR,
                "nn_search": {**LOCALIZER, "kind": "feedback19.localizer", "settings": {}},
            },
            "need one module of kind feedback19.localizer, not nn_search and feedback19_localizer;",
        ),
        (
            {"feedback19_localizer": PREDICTOR},
            "modules.feedback19_localizer: a localizer cannot learn from the crops that it is to make",
        ),
        (
            {"feedback19_localizer": {**LOCALIZER, "settings": {"joint": "F3_KNU1_C"}}},
            "modules.feedback19_localizer names joint 'F3_KNU1_C'; the nearest that nyu has is 'F3_KNU1_",
        ),
        (
            {"nn_search": {"centre": "localized", "datasets": ["msra"]}},
            "modules.nn_search: msra has no split that a localizer could learn from, so no localized crops",
        ),
    ],
    ids=["none", "two", "its own", "joint", "folds"],
)
def test_localized_crops_that_cannot_be_made_are_one_line(values: dict, patches: dict, said: str) -> None:
    for module, patch in patches.items():
        values["modules"][module] |= patch
    assert said in refuse(values)


def test_the_centres_of_a_dataset_ask_for_a_localizer_too(values: dict) -> None:
    values["datasets"]["nyu"]["centres"] = [LOCALIZED]
    assert "datasets.nyu.centres: localized crops of nyu need one module" in refuse(values)


def test_a_stride_of_a_split_that_is_not_there_is_one_line(values: dict) -> None:
    values["datasets"]["nyu"]["stride"] = {"trian": 2}
    with pytest.raises(BadInput, match=r"datasets\.nyu\.stride has 'trian'; the nearest that nyu has is 'train'"):
        check_config(values)


@pytest.mark.parametrize("centre", ["com-400", "com-80"])
def test_a_cube_may_be_named_with_the_centre(values: dict, centre: str) -> None:
    values["datasets"]["dexter"]["centres"] = ["joint", centre]
    assert check_config(values).datasets["dexter"].centres == ["joint", centre]
