"""A logged model is the method: it loads by itself and predicts any number of frames."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from handbench.datasets.crops import build_crops
from handbench.datasets.torch_dataset import open_crops
from handbench.methods import load_method
from handbench.training.checkpoint import load_checkpoint
from handbench.training.train import Job, train
from tests.datasets.crop_fixtures import make_listing


@pytest.mark.parametrize(
    ("kind", "settings"),
    [("nearest_neighbour", {"components": 6}), ("feedback15.predictor", {"epochs": 1, "batch": 8})],
)
def test_a_logged_model_predicts_any_number_of_frames(kind: str, settings: dict[str, Any], tmp_path: Path) -> None:
    mlflow = pytest.importorskip("mlflow.pyfunc")
    build_crops(make_listing(30), centre="joint", size_px=16, out=tmp_path / "store")
    job = Job(kind=kind, module="m", paper="crossing", settings=settings, seed=0, fold=None)
    train(job, tmp_path / "store", tmp_path / "out", log_model=True)
    depth = open_crops(store=tmp_path / "store").tensors()["depth"]
    many = depth.repeat(10, 1, 1, 1)
    predict = load_method(kind).predict
    assert predict is not None
    expected = predict(load_checkpoint(tmp_path / "out").trained, many)[-1].detach().numpy()
    loaded = mlflow.load_model(str(tmp_path / "out" / "model"))
    for frames in (1, 3, 300):
        got = np.asarray(loaded.predict(many[:frames].numpy().astype(np.float32)))
        np.testing.assert_allclose(got, expected[:frames], atol=1e-5)
    assert torch.from_numpy(expected).isfinite().all()
