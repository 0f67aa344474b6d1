"""Numbers as the papers print them: data, typed from the papers; whatever can be measured is measured elsewhere."""

from dataclasses import dataclass

NO_PREDICTIONS = "printed only: no published 3D predictions"
PIXELS_ONLY = "printed only: published in pixels without depth; with the frames, depth can be looked up"
NOT_PUBLISHED = "printed only: an intermediate result that nobody published"


@dataclass(frozen=True)
class Printed:
    """One row: what the paper calls it, the mean error it prints, and the record's predictions for it."""

    name: str
    mean_mm: float | None
    key: str | None
    """Key in the published record; None where there are no 3D predictions."""
    why_not: str = ""
    """Why nothing can be recomputed."""


FEEDBACK19_TABLE_1 = (
    Printed("Neverova et al.", 14.9, None, NO_PREDICTIONS),
    Printed("Crossing Nets", 15.5, None, NO_PREDICTIONS),
    Printed("Lie-X", 14.5, "nyu/lie-x"),
    Printed("REN", 13.4, "nyu/ren-4x6x6"),
    Printed("DeepPrior++", 12.3, "nyu/deepprior++"),
    Printed("Feedback", 16.2, "nyu/feedback"),
    Printed("Hand3D", 17.6, None, NO_PREDICTIONS),
    Printed("DISCO", 20.7, None, NO_PREDICTIONS),
    Printed("DeepModel", 16.9, "nyu/deepmodel"),
    Printed("Pose-REN", 11.8, "nyu/pose-ren"),
    Printed("3DCNN", 10.6, "nyu/3dcnn"),
    Printed("Generalized Feedback (ours)", 10.8, "nyu/generalized-feedback"),
)
"""Mean 3D error on the NYU test set, in the paper's order."""

FEEDBACK15_FIGURE_8A = (
    Printed("Tompson et al.", 21.0, None, PIXELS_ONLY),
    Printed("DeepPrior", 20.0, "nyu/deepprior"),
    Printed("Feedback (ours)", 16.5, "nyu/feedback"),
    Printed("Initialization", 27.0, None, NOT_PUBLISHED),
)
"""The curves of the figure and the means that the text of section 4.4 gives them."""

DEEPMODEL_FIGURES_5_6 = (
    Printed("Tompson et al.", None, None, PIXELS_ONLY),
    Printed("DeepPrior", None, "nyu/deepprior"),
    Printed("Feedback", None, "nyu/feedback"),
    Printed("DeepModel (ours)", 16.9, "nyu/deepmodel"),
)
DEEPMODEL_FIGURE_7 = (
    Printed("LRF", None, "icvl/lrf"),
    Printed("DeepPrior", None, "icvl/deepprior"),
    Printed("DeepModel (ours)", None, "icvl/deepmodel"),
)

REFINE_FIGURE_8 = {
    "nyu": (
        Printed("DeepPrior", None, "nyu/deepprior"),
        Printed("Feedback", None, "nyu/feedback"),
        Printed("DeepModel", None, "nyu/deepmodel"),
        Printed("REN", None, "nyu/ren-4x6x6"),
    ),
    "icvl": (
        Printed("LRF", None, "icvl/lrf"),
        Printed("DeepPrior", None, "icvl/deepprior"),
        Printed("DeepModel", None, "icvl/deepmodel"),
        Printed("REN", None, "icvl/ren-4x6x6"),
    ),
}
"""The rivals of Fig. 8; the paper prints curves without numbers."""
CROSSING_FIGURE_4 = {
    "nyu": (Printed("Sinha et al.", None, None, NO_PREDICTIONS), Printed("Feedback", None, "nyu/feedback")),
    "msra": (
        Printed("Ge et al.", None, None, NO_PREDICTIONS),
        Printed("Sun et al.", None, None, NO_PREDICTIONS),
    ),
    "icvl": (
        Printed("DeepPrior", None, "icvl/deepprior"),
        Printed("Refinement", None, "icvl/deepprior-refinement"),
    ),
}
"""The rivals of Fig. 4; the paper prints curves without numbers."""
REFINE_VARIANCES = (0.0035, 0.0026)
"""Section 4.4: variance of the depth MSE over the authors' own recording, before and after."""
REFINE_FORWARD_MS, REFINE_RETRAIN_MINUTES = 3.5, 30.0
"""Section 4.6: one frame forward; 10 epochs of 50,000 frames (GTX 1060)."""

DEEPMODEL_TABLE_1 = (
    ("direct joint", 17.2, 21.4),
    ("direct parameter", 26.7, 12.2),
    ("ours w/o phy", 16.9, 12.0),
    ("ours", 16.9, 12.2),
)
"""Method, mean joint error in mm, mean angle error in degrees, on the NYU test set."""
DEEPMODEL_SECTION_4_1 = {"ours w/o phy": 18.6, "ours": 0.9}
"""Percent of NYU's test frames with at least one angle out of range."""
DEEPMODEL_FIT = (5.68, 1.94)
"""Section 4: mean in mm and variance in mm2 of what PSO leaves between the hand model and NYU's labels."""

FEEDBACK19_TABLE_2_SEQUENCES = ("Rigid", "Rotate", "Occlusion", "Grasp1", "Grasp2", "Pinch", "average")
FEEDBACK19_TABLE_2 = (
    ("Sridhar et al., RGB+depth", "tips", (14.2, 16.3, 17.5, 18.1, 17.5, 10.3, 15.6)),
    ("Sridhar et al., RGB+depth", "corners", (13.5, 26.8, 11.9, 15.3, 15.7, 13.9, 16.2)),
    ("Sridhar et al., RGB+depth", "combined", (14.1, 18.0, 16.4, 17.6, 17.2, 10.9, 15.7)),
    ("Sridhar et al., depth", "combined", (None, None, None, None, None, None, 18.5)),
    ("initialization", "combined", (14.1, 20.3, 18.8, 20.8, 24.3, 17.6, 19.3)),
    ("single network", "combined", (29.0, 35.5, 35.8, 40.1, 39.7, 39.9, 36.6)),
    ("feedback", "tips", (14.2, 17.9, 16.3, 22.7, 24.0, 18.5, 18.9)),
    ("feedback", "corners", (8.4, 23.4, 7.4, 8.2, 16.6, 9.6, 12.4)),
    ("feedback", "combined", (13.2, 18.9, 14.5, 20.2, 22.5, 16.7, 17.6)),
)
"""Method, metric and millimetres on Dexter+Object, a number for each of the sequences."""
FEEDBACK19_SINGLE_MM, FEEDBACK19_BOTH_MM = 36.6, 17.6
"""Section 6.3: average combined error of one network for hand and object, and of the loops."""
FEEDBACK19_SPHERES_MM = {"hand": 1.0, "object": 40.0}
"""Section 6.3: how much worse a localizer gets that learned from spheres, on the cuboids of Dexter+Object."""
FEEDBACK19_HAND_OBJECT_FPS = 40.0
"""Section 6.5, of hand and object together."""
