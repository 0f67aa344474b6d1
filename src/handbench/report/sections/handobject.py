"""The second half of feedback19's section: hand and object together (Sections 4 and 6)."""

from handbench.evaluation.claim_handobject import LOOP, NETWORK, ROTATION, THREE
from handbench.evaluation.claim_loop import ITERATIONS
from handbench.evaluation.hand_object_score import METRICS, WHOLE
from handbench.report.held_items import STAGES, build_held_iterations, build_held_variants, build_table_2
from handbench.report.held_motion import build_motion
from handbench.report.held_pictures import build_held_shares, build_held_shown, build_held_steps
from handbench.report.held_probes import build_held_runtime, build_spheres
from handbench.report.held_sequences import build_by_sequence, build_spheres_by_sequence
from handbench.report.items import Item
from handbench.report.rendered_items import build_rendered_pictures, build_rendered_table
from handbench.report.sources import Sources

COMPOSED = "handobject_composed"
"""The loop for an object of several primitives, in the place of the paper's toy duck."""
POSES = {"eight corners and Procrustes": (LOOP, 0), "rotation and translation": (ROTATION, 0)}
DRAWERS = {"renderer": (LOOP, ITERATIONS), "synthesizer network": (NETWORK, ITERATIONS)}
"""What is compared, and after how many iterations."""
MOVING = "Grasp1"
"""The sequence that is shown moving: the hand opens and closes."""


def build_hand_object(sources: Sources) -> tuple[Item, ...]:
    """In the order of the paper."""
    return (
        build_rendered_pictures(
            "feedback19_figure_10", "feedback19, Fig. 10: rendered frames to learn hand and object from", sources
        ),
        build_rendered_table("feedback19_rendered", "Section 4.1: the rendered sets", sources),
        build_table_2("feedback19_table_2", "Table 2: hand and object on Dexter+Object", sources),
        build_by_sequence(
            "feedback19_table_2_sequences", "Table 2, sequence by sequence", STAGES, sources, metrics=METRICS
        ),
        build_held_iterations(
            "feedback19_hand_object_iterations",
            "Section 6.3: hand and object, error by iteration",
            (THREE, LOOP),
            sources,
            printed="Printed: 19.3 mm combined at the start, 17.6 mm after two iterations.",
        ),
        build_spheres("feedback19_spheres", "Section 6.3: localizers on objects they have never seen", sources),
        build_spheres_by_sequence(
            "feedback19_spheres_sequences", "Section 6.3: the same localizers, sequence by sequence", sources
        ),
        build_held_variants(
            "feedback19_section_4_4",
            "Section 4.4: eight corners, or rotation and translation",
            POSES,
            sources,
            metrics=("corners", WHOLE),
            printed="The paper prefers corners for reasons that it cites, without numbers of its own.",
        ),
        build_by_sequence(
            "feedback19_section_4_4_sequences",
            "Section 4.4, sequence by sequence",
            POSES,
            sources,
            metrics=("corners", WHOLE),
        ),
        build_held_variants(
            "feedback19_section_4_5",
            "Section 4.5: the object drawn by a renderer, or by a network",
            DRAWERS,
            sources,
            metrics=METRICS,
            printed="The paper says that both perform alike, without numbers.",
        ),
        build_by_sequence(
            "feedback19_section_4_5_sequences", "Section 4.5, sequence by sequence", DRAWERS, sources, metrics=METRICS
        ),
        build_held_shares(
            "feedback19_figure_14", "feedback19, Fig. 14: hand and object on Dexter+Object, good and bad", LOOP, sources
        ),
        build_held_shown(
            "feedback19_figure_15", "feedback19, Fig. 15: a hand and an object of several parts", COMPOSED, sources
        ),
        build_held_steps("feedback19_figure_16", "feedback19, Fig. 16: hand and object by iteration", LOOP, sources),
        build_motion("feedback19_sequence", f"Hand and object through {MOVING}: start and end", LOOP, MOVING, sources),
        build_held_runtime(
            "feedback19_hand_object_runtime", "Section 6.5: runtime of hand and object together", sources
        ),
    )
