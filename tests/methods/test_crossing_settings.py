"""Settings and needs of crossing that are refused before anything is trained."""

import pytest

from handbench.errors import BadInput
from handbench.modules import check_settings, explain_needs
from tests.methods.crossing_fixtures import PARTS


def test_an_estimator_of_which_nothing_learns_together_is_refused() -> None:
    for epochs in (20, 21):
        with pytest.raises(BadInput, match=rf"found head_epochs is below epochs, not 21 of {epochs}: nothing would"):
            check_settings("crossing.estimator", {"epochs": epochs})
    check_settings("crossing.estimator", {"epochs": 22})


@pytest.mark.parametrize("kind", sorted({f"crossing.{part}" for part, *_ in PARTS.values()}))
def test_a_batch_of_one_frame_is_refused(kind: str) -> None:
    """A batch normalisation of numbers would stop at it with a traceback."""
    with pytest.raises(BadInput, match=rf"{kind}: expected batch to be greater than or equal to 2, found 1; mend it"):
        check_settings(kind, {"batch": 1})


def test_a_posterior_may_start_from_a_gan_and_from_nothing_else() -> None:
    assert explain_needs("crossing.posterior", ["crossing.vae"]) == ""
    assert explain_needs("crossing.posterior", ["crossing.vae", "crossing.gan"]) == ""
    wrong = explain_needs("crossing.posterior", ["crossing.vae", "crossing.alignment"])
    assert wrong == "crossing.posterior needs a vae, or a gan with it, not vae, alignment"
    assert (
        explain_needs("crossing.alignment", ["crossing.vae"]) == "crossing.alignment needs a vae, then a gan, not vae"
    )
