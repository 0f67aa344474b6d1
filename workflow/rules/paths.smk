# Where every file of a run lies, and which of them a target needs: all wildcard logic is here.
import os
import sys
from pathlib import Path

from snakemake.settings.types import DeploymentMethod

SOURCES = os.path.join(workflow.basedir, "src")
sys.path.insert(0, SOURCES)

from handbench.config import check_config
from handbench.conventions import DATASETS
from handbench.digest import stage_digest
from handbench.errors import BadInput

# Jobs find the package in the checkout, so no environment needs it installed; nothing phones home.
PREFIX = f"export PYTHONPATH={SOURCES!r} MLFLOW_DISABLE_TELEMETRY=true; "
if DeploymentMethod.CONDA not in workflow.deployment_settings.deployment_method:
    # Without conda a job runs the Python that runs snakemake, whether or not its environment was activated.
    PREFIX = f"export PATH={os.path.dirname(sys.executable)!r}:$PATH; " + PREFIX
shell.prefix(PREFIX)

try:
    settings = check_config(config)
except BadInput as error:
    # Snakemake prints an exception with the lines that led to it; this is one line.
    sys.exit(str(error))

RUN = str(settings.run_folder)
LOGS = f"{RUN}/logs"
TIMES = f"{RUN}/benchmarks"


wildcard_constraints:
    dataset="|".join(DATASETS),
    split="train|test|all",
    centre=r"joint|joint-\w+|com|block",


def raw_data(dataset):
    """What says that a dataset's own files are there: a manifest of ours, or the folder the config names."""
    if settings.source == "embedded":
        return f"{RUN}/synthesize/{dataset}/manifest.json"
    # A folder's time changes whenever somebody lists it with the wrong tool: its being there is what counts.
    return ancient(at_hand(dataset)) if settings.datasets[dataset].path else f"{RUN}/download/{dataset}/manifest.json"


def raw_root(dataset):
    """The folder of a dataset's own files."""
    if settings.source == "embedded":
        return f"{RUN}/synthesize/{dataset}/raw"
    return at_hand(dataset) if settings.datasets[dataset].path else f"{RUN}/download/{dataset}/raw"


def at_hand(dataset):
    """The real dataset's folder that the config names; it has to be there before anything starts."""
    path = Path(settings.datasets[dataset].path).expanduser()
    if not path.is_dir():
        sys.exit(f"config: expected a folder at datasets.{dataset}.path, found none at {path}; mend the path")
    return str(path)


def all_crops():
    """The store of every dataset, centre and split that the config asks for."""
    return [
        f"{RUN}/crop/{dataset}/{centre}/{split}/store.json"
        for dataset in settings.use
        for centre in settings.datasets[dataset].centres
        for split in DATASETS[dataset].splits
    ]


def all_sheets():
    """One contact sheet for every split of every dataset."""
    return [f"{RUN}/show/{dataset}/{split}.png" for dataset in settings.use for split in DATASETS[dataset].splits]
