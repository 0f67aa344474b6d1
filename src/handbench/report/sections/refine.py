"""The section of refine: curves that nobody published the predictions of, until this project runs its method."""

from handbench.report.items import Absent, Section
from handbench.report.sources import NOT_RUN, Sources


def build_section(sources: Sources) -> Section:
    return Section(
        paper="refine",
        title="How to Refine 3D Hand Pose Estimation from Unlabelled Depth Data?",
        citation="Dibra, Wolf, Öztireli and Gross, 3DV 2017",
        intro=(
            "A network trained on synthetic hands goes on learning from unlabelled depth, by drawing its own estimate. "
            "The paper has no table, and its predictions are not published.",
        ),
        items=(
            Absent(
                "refine_figure_5",
                "Fig. 5: self comparison on NYU and ICVL",
                f"This run: {NOT_RUN}. The paper prints curves without numbers.",
            ),
            Absent(
                "refine_figure_7",
                "Fig. 7: error of the drawn depth before and after",
                f"This run: {NOT_RUN}. Printed: the variance falls from 0.0035 to 0.0026.",
            ),
            Absent(
                "refine_figure_8",
                "Fig. 8: against others on NYU and ICVL",
                f"This run: {NOT_RUN}. The paper prints curves without numbers; those of the methods it compares with "
                "are in the sections above.",
            ),
        ),
    )
