"""The Kubernetes profile against a double of the interface, with doubles for the stages: its wiring and no more."""

import subprocess
from pathlib import Path

import pytest

from tests.cluster.kubernetes_double import Double, serve
from tests.workflow.checkout import SNAKEMAKE, Checkout, copy_checkout, double_stages

pytestmark = pytest.mark.cluster

RUN = Path("results/smoke-embedded")


def run_on_pods(checkout: Checkout, double: Double, *words: str) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("snakemake_executor_plugin_kubernetes", reason="pip install -e '.[kubernetes]'")
    command = [str(SNAKEMAKE), *words, "--profile", "workflow/profiles/kubernetes"]
    quick = ["--seconds-between-status-checks", "1", "--latency-wait", "5", "--configfile", "tiny.yaml"]
    variables = {"KUBECONFIG": str(double.kubeconfig), "PYTHONPATH": "workflow/plugins"}
    return subprocess.run(
        [*command, *quick], cwd=checkout.root, env=checkout.environment(**variables), text=True, capture_output=True
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return double_stages(copy_checkout(tmp_path))


def test_pods_ask_for_what_the_profile_says_and_share_the_volume(checkout: Checkout, tmp_path: Path) -> None:
    with serve(tmp_path) as double:
        done = run_on_pods(checkout, double, f"{RUN}/evaluate/icvl/nn_search/seed0/evaluation.json")
    assert done.returncode == 0, done.stdout + done.stderr
    # What a rule does not name is there as well: the jobs have worked in the same folder.
    assert (tmp_path / RUN / "predict/icvl/nn_search/seed0/predictions.npz").is_file()
    assert checkout.planned(f"{RUN}/evaluate/icvl/nn_search/seed0/evaluation.json", "--configfile", "tiny.yaml") == {}
    containers = [pod.spec["containers"][0] for pod in double.pods.values()]
    # Synthesis, two splits of crops, the training, and what is done with the network.
    assert len(containers) == 5
    asked = [container["resources"]["limits"] for container in containers]
    assert sorted(limits.get("nvidia.com/gpu", "none") for limits in asked) == ["1", "1", "none", "none", "none"]
    assert [limits["memory"] for limits in asked if "nvidia.com/gpu" in limits] == ["8000M", "8000M"]
    assert [limits["memory"] for limits in asked if "nvidia.com/gpu" not in limits] == ["3000M"] * 3
    for container in containers:
        assert {"name": "handbench", "mountPath": "/handbench"} in container["volumeMounts"]
        assert container["image"] == "registry.example.org/handbench:latest"


def test_what_a_failed_pod_said_is_fetched(checkout: Checkout, tmp_path: Path) -> None:
    checkout.replace("datasets/synthesize.py", "import json\n", "import json\nprint('the light went out')\n1 / 0\n")
    with serve(tmp_path) as double:
        done = run_on_pods(checkout, double, f"{RUN}/synthesize/icvl/manifest.json", "--retries", "1")
    assert done.returncode == 1
    assert "the light went out" in done.stdout + done.stderr
    assert len(double.pods) == 2, "sent again once"
    assert len(list((tmp_path / ".snakemake" / "auxiliary" / "kubernetes-logs").glob("*.log"))) == 2
