"""The section of feedback15: its curves on NYU, and what of its experiments this project has yet to run."""

from handbench.evaluation import tables
from handbench.evaluation.paper_numbers import FEEDBACK15_FIGURE_8A
from handbench.report.comparisons import build_comparison, build_curves, read_figure
from handbench.report.items import Absent, Section
from handbench.report.sources import NOT_RUN, Sources

MODULES = {"Feedback (ours)": "feedback15"}
"""Rows of the paper and the modules of this project that stand for them."""


def build_section(sources: Sources) -> Section:
    data = read_figure(tables.feedback15_figure_8a, sources)
    stamp = sources.stamp("nyu")
    return Section(
        paper="feedback15",
        title="Training a Feedback Loop for Hand Pose Estimation",
        citation="Oberweger, Wohlhart and Lepetit, ICCV 2015",
        intro=(
            "A predictor gives a first pose, a synthesizer draws the depth image of a pose, and an updater compares "
            "that image with the camera's and moves the pose.",
        ),
        items=(
            build_curves("feedback15_figure_8a", "feedback15, Fig. 8a: accuracy on NYU", data, stamp),
            build_comparison(
                "feedback15_figure_8a_means",
                "Mean errors that section 4.4 gives to the curves of Fig. 8a",
                FEEDBACK15_FIGURE_8A,
                None if data is None else data.means,
                sources,
                dataset="nyu",
                modules=MODULES,
                stamp=stamp,
            ),
            Absent(
                "feedback15_figure_8b",
                "Fig. 8b: two initialisations",
                f"This run: {NOT_RUN}. Printed: 27 to 16.5 mm from the simple predictor, 23 to 16 mm from DeepPrior.",
            ),
            Absent(
                "feedback15_figure_10",
                "Fig. 10: image-based optimisation",
                f"This run: {NOT_RUN}. The paper prints curves without numbers; feedback19 5.4 has them.",
            ),
            Absent(
                "feedback15_figure_12",
                "Fig. 12: updates around the truth",
                f"This run: {NOT_RUN}. The paper prints arrows without numbers.",
            ),
        ),
    )
