"""What the configs have to say of hand and object at every scale, whatever else they change."""

from pathlib import Path

import pytest

from handbench.config import load_config

ROOT = Path(__file__).parents[1]
SCALES: dict[str, tuple[str, ...]] = {
    "demo": (),
    "claims": ("claims",),
    "paper": ("paper",),
    "short": ("paper", "paper_short"),
}


@pytest.mark.parametrize("overlays", SCALES.values(), ids=SCALES)
def test_the_rate_of_synthesizers_rises_at_every_size_of_images(overlays: tuple[str, ...]) -> None:
    """Without a rise the demo's hand synthesizer ended at one flat image for all poses."""
    config = load_config([ROOT / "config.yaml", *(ROOT / "config" / f"{name}.yaml" for name in overlays)])
    for part in ("hand", "object"):
        settings = config.modules[f"handobject_{part}_synthesizer"].settings.model_dump()
        assert settings["warm_up_steps"] >= 50


@pytest.mark.parametrize("overlays", SCALES.values(), ids=SCALES)
def test_one_network_for_both_makes_no_fewer_updates_than_the_localizers(overlays: tuple[str, ...]) -> None:
    """GF5 counts it as a rival only then; both see the same crop."""
    config = load_config([ROOT / "config.yaml", *(ROOT / "config" / f"{name}.yaml" for name in overlays)])
    updates = {}
    for name in ("handobject_single", "handobject_hand_localizer", "handobject_object_localizer"):
        settings = config.modules[name].settings.model_dump()
        updates[name] = settings["epochs"] / settings["batch"]
    assert max(updates.values()) == updates["handobject_single"]
