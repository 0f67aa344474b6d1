"""A copy of the workflow whose stages are test doubles: it proves the wiring of the rules in seconds, nothing else."""

import os
import shutil
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SNAKEMAKE = Path(sys.executable).with_name("snakemake")

DOUBLES = {
    "datasets/synthesize.py": """
        import json

        from handbench.datasets.double import write_slowly


        def synthesize(dataset, out, *, frames, seed, stride, jobs=1, renderer="auto"):
            (out / "raw").mkdir(parents=True, exist_ok=True)
            write_slowly(out / "raw" / "frames.txt", frames)
            (out / "manifest.json").write_text(json.dumps({"dataset": dataset, "frames": frames, "seed": seed}))
        """,
    "datasets/double.py": '''
        import os
        import time


        def write_slowly(path, frames):
            """Write a line a frame; wait in the middle where a test asks for it."""
            with path.open("w") as file:
                for split, count in frames.items():
                    for row in range(count):
                        file.write(f"{split} {row}\\n")
                    file.flush()
                    if "DOUBLE_WAITS" in os.environ:
                        open(os.environ["DOUBLE_WAITS"], "w").close()
                        time.sleep(60)
        ''',
    "datasets/download.py": """
        def download(dataset, to, *, mirrors=()):
            (to / "raw").mkdir(parents=True, exist_ok=True)
            (to / "raw" / "frames.txt").write_text("one line\\n")
            (to / "manifest.json").write_text(f"{dataset} {list(mirrors)}")
            return to / "raw"
        """,
    "datasets/importers.py": """
        def list_frames(dataset, root, split, *, revised=None):
            return (root / "frames.txt").read_text() if (root / "frames.txt").exists() else f"{dataset} at hand"
        """,
    "datasets/crops.py": """
        def build_crops(listing, *, centre, size_px, out, allow_skips=0, jobs=1, **more):
            out.mkdir(parents=True, exist_ok=True)
            (out / "store.json").write_text(f"{centre} {size_px}\\n{listing}")
        """,
    "report/contact_sheet.py": """
        def write_contact_sheet(listing, out, *, frames=16):
            out.write_bytes(b"not a picture")
        """,
    "training/train.py": """
        from dataclasses import dataclass
        from typing import Any


        @dataclass
        class Job:
            kind: str
            module: str
            paper: str
            settings: Any
            seed: int
            fold: Any
            threads: int
            devices: int
            nodes: int
            needs: Any
            poses: Any
            truth: Any


        def train(job, store, out, *, call=None, log_model=False):
            assert call.is_file()
            out.mkdir(parents=True, exist_ok=True)
            (out / "checkpoint.json").write_text(f"{job.module} {job.settings} {job.seed} {job.fold} on {store}")
        """,
    "training/predict.py": """
        def predict(folders, store, out, *, truth=None):
            out.mkdir(parents=True, exist_ok=True)
            learnt = [(folder / "checkpoint.json").read_text() for folder in folders]
            (out / "predictions.npz").write_text(" + ".join(learnt) + f" for {store}")
            (out / "predictions.json").write_text("{}")
        """,
    "evaluation/evaluate.py": """
        class Evaluation:
            def as_dict(self):
                return {}


        def evaluate(prediction, dataset, method, **options):
            evaluation = Evaluation()
            evaluation.text = f"{method} on {dataset}: {prediction.read_text()}"
            return evaluation
        """,
    "evaluation/evaluation_files.py": """
        def default_folder(dataset, method):
            raise AssertionError("the rule names the folder")


        def save_evaluation(evaluation, folder):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "evaluation.json").write_text(evaluation.text)
        """,
    "evaluation/evaluation_text.py": """
        def render_text(evaluation):
            return evaluation.text
        """,
    "evaluation/tracked.py": """
        def track_evaluation(evaluation, folder, call):
            assert call.is_file()


        def read_tracked_results(run, uri):
            raise AssertionError("the pipeline reads files")
        """,
    "report/evaluation_figures.py": """
        def draw_evaluation(evaluation, folder):
            return ()
        """,
    "report/build.py": """
        def build_report(run, out, *, record=None, results=None):
            out.mkdir(parents=True, exist_ok=True)
            for name in ("figures", "tables", "frames"):
                (out / name).mkdir(exist_ok=True)
            (out / "claims.csv").write_text("")
            found = sorted(run.glob("evaluate/*/*/*/evaluation.json"))
            (out / "index.html").write_text("\\n".join(path.read_text() for path in found))
            return out / "index.html"
        """,
    "training/tracking.py": """
        def create_store(results):
            (results / "mlflow").mkdir(parents=True, exist_ok=True)
            (results / "mlflow" / "store.json").write_text('{"available": true}')


        def send_unsent(results):
            from types import SimpleNamespace

            return SimpleNamespace(failed=0)


        def close_call(call, status):
            (call.parent / "ended.txt").write_text(status)
        """,
}


@dataclass(frozen=True)
class Checkout:
    """A folder that snakemake runs in."""

    root: Path

    def snakemake(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words), cwd=self.root, env=self.environment(**variables), text=True, capture_output=True
        )

    def command(self, *words: str) -> list[str]:
        return [str(SNAKEMAKE), "--cores", "2", *words]

    def environment(self, **variables: str) -> dict[str, str]:
        # Snakemake keeps a cache of source files in the user's cache folder; tests keep theirs to themselves.
        return os.environ | {"XDG_CACHE_HOME": str(self.root / "cache")} | variables

    def planned(self, *words: str) -> dict[str, int]:
        """Jobs that a dry run would start, by rule."""
        done = self.snakemake("--dry-run", *words)
        assert done.returncode == 0, done.stdout + done.stderr
        lines = (done.stdout + done.stderr).splitlines()
        heads = [row for row, line in enumerate(lines) if line.split() == ["job", "count"]]
        if not heads:
            assert any("Nothing to be done" in line for line in lines), done.stdout + done.stderr
            return {}
        table = lines[heads[-1] + 2 :]
        rows = [line.split() for line in table[: table.index("")]]
        return {rule: int(count) for rule, count in rows if rule not in ("all", "total")}

    def replace(self, name: str, old: str, new: str) -> None:
        path = self.root / "src" / "handbench" / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))


def copy_checkout(to: Path, root: Path = ROOT) -> Checkout:
    for name in ("Snakefile", "config.yaml"):
        shutil.copy(root / name, to / name)
    for name in ("workflow", "config", "envs", "src"):
        shutil.copytree(root / name, to / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    (to / "profiles").symlink_to("workflow/profiles")
    return Checkout(to)


def double_stages(checkout: Checkout) -> Checkout:
    """Put doubles in the place of its stages, and a config of two datasets with a few frames beside it."""
    for name, text in DOUBLES.items():
        (checkout.root / "src" / "handbench" / name).write_text(textwrap.dedent(text).lstrip())
    (checkout.root / "tiny.yaml").write_text(
        "scale: smoke\nuse: [msra, icvl]\n"
        "datasets:\n  msra: {frames: {all: 3}}\n  icvl: {frames: {train: 2, test: 1}}\n"
    )
    return checkout


SMOKE_RUN = Path("results/smoke-embedded")
