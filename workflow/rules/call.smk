# The call itself: its settings, checked; who runs its jobs and in what environment; what is done before and after.
import contextlib
import io
import os
import shlex
import subprocess
import sys
from pathlib import Path

from snakemake.cli import parse_args
from snakemake.settings.types import DeploymentMethod, ExecMode

SOURCES = os.path.join(workflow.basedir, "src")
sys.path.insert(0, SOURCES)

from handbench.config import check_config
from handbench.errors import BadInput
from handbench.provenance import write_call
from handbench.settings_file import read_yaml
from handbench.training.one_run import LOCAL, SCHEDULER, hold_folder, put_right
from handbench.training.tracking_store import is_ready

# Calls of snakemake that ask, and change nothing: they may be made while a run is at work.
QUESTIONS = ("dryrun", "lint", "unlock", "dag", "rulegraph", "filegraph", "d3dag", "summary", "detailed_summary")
QUESTIONS += ("report", "list_rules", "list_target_rules", "list_changes", "list_untracked", "print_compilation")

# Jobs find the package in the checkout, so no environment needs it installed; nothing phones home.
PREFIX = f"export PYTHONPATH={SOURCES!r} MLFLOW_DISABLE_TELEMETRY=true; "
if DeploymentMethod.CONDA not in workflow.deployment_settings.deployment_method:
    # Without conda a job runs the Python that runs snakemake, whether or not its environment was activated.
    PREFIX = f"export PATH={os.path.dirname(sys.executable)!r}:$PATH; " + PREFIX


def read_words():
    """What snakemake was asked, by a profile too; None where it is a job's own, or no person's."""
    if workflow.exec_mode != ExecMode.DEFAULT or Path(sys.argv[0]).name not in ("snakemake", "__main__.py"):
        return None
    with contextlib.redirect_stderr(io.StringIO()):  # which profiles it uses snakemake has said already
        _, asked = parse_args(sys.argv[1:])
    return asked


def starts_jobs(asked):
    """Whether this process runs jobs: no dry run, no question, no job's own snakemake."""
    return asked is not None and not (asked.nolock or any(getattr(asked, question) for question in QUESTIONS))


try:
    for file in workflow.configfiles:
        read_yaml(Path(file))  # of a key that stands twice Snakemake itself takes the last
    settings = check_config(config)
    asked = read_words()
    EXECUTOR = asked.executor or LOCAL if asked else LOCAL
    if starts_jobs(asked):
        # Each job knows who started it, and ends with it; one in a cluster goes on.
        PREFIX += f"export {SCHEDULER}={shlex.quote(hold_folder(Path('.snakemake'), EXECUTOR))}; "
        for made in (settings.run_folder, Path(settings.results, "report")):
            put_right(made)
except (BadInput, OSError) as error:
    # Snakemake prints an exception with the lines that led to it; this is one line.
    sys.exit(str(error))
shell.prefix(PREFIX)


def begin_call():
    """Say who called, and make the tracking store before a job needs it: eight that open a new one at once break it.

    The store is no rule's output: Snakemake has no input that must be there and still starts nothing again.
    """
    write_call(settings.run_folder, settings.model_dump(), sys.argv)
    if not is_ready(Path(RESULTS)):
        handbench("mlflow", "--results", RESULTS)


def end_call(status):
    """Send what could not be tracked before, and end the tracked run of this call."""
    handbench("track", "--end", CALL_FILE, "--status", status)


def handbench(*words):
    """A command of the main process that may fail: what watches the pipeline never stops it."""
    environment = {**os.environ, "PYTHONPATH": SOURCES, "MLFLOW_DISABLE_TELEMETRY": "true"}
    subprocess.run([sys.executable, "-m", "handbench", *words], env=environment, stdout=subprocess.DEVNULL, check=False)


def tell_what_trainings_remarked():
    """At the end of a call, on the terminal: what has gone wrong in a training is no secret of its log."""
    from handbench.evaluation.remarks import tell_run  # numpy comes with it, which every job's snakemake would load

    try:
        lines = tell_run(Path(RUN), settings.model_dump())
    except BadInput as error:
        lines = [str(error)]
    for line in lines:
        print(line, file=sys.stderr)
