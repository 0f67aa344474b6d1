"""What several tests of methods share."""

import pytest

from tests.methods.held_fixtures import RENDERED, UPDATERS, Held, make_held


@pytest.fixture(scope="session")
def held(tmp_path_factory: pytest.TempPathFactory) -> Held:
    """Every part of the loop of hand and object, trained for an epoch or two."""
    made = make_held(tmp_path_factory.mktemp("held"))
    for part in (*RENDERED, *UPDATERS, "loop", "single", "rotation"):
        made.train(part)
    return made
