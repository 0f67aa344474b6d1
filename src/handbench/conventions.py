"""Joint names and orders, cameras, cubes and splits of every dataset: data, nothing that computes.

Axes inside the code are OpenCV's (x right, y down, z forward), lengths are millimetres. A dataset's own signs
live in its importer only.
"""

from dataclasses import dataclass, field

FINGERS = ("thumb", "index", "middle", "ring", "little")
BACKGROUND = 1.0
"""What a pixel of a patch in [-1, 1] holds that is behind the cube, outside the image or not measured."""
LOCALIZED = "localized"
"""The centre that a localizer finds, among the words for centres."""
BLOCK, SEEN = "block", "seen"
"""Words of crops that are the padded box of a hand: of its labels, or of what the camera sees of it."""
BOXES = (BLOCK, SEEN)
"""What learned from crops of the one is at home in those of the other, which look alike."""


@dataclass(frozen=True)
class Camera:
    """A pinhole camera without distortion; pixel (u, v) is the centre of column u, row v."""

    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int


@dataclass(frozen=True)
class JointSet:
    """Names in file order, the body part of each joint, and the bones a drawing connects."""

    names: tuple[str, ...]
    parts: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]

    def index(self, name: str) -> int:
        return self.names.index(name)


@dataclass(frozen=True)
class Convention:
    """Everything about a dataset that is a fact and not a choice of ours."""

    name: str
    title: str
    citation: str
    licence: str
    page: str
    sensor: str
    camera: Camera
    joints: JointSet
    scored: tuple[int, ...]
    centre_joint: str
    cube_mm: dict[str, float]
    """Full edge of the metric cube per subject; the key "" stands for every subject not named."""
    splits: tuple[str, ...]
    frames: dict[str, int] = field(default_factory=dict)
    """Frames of the complete release per split."""
    learned_besides: tuple[int, ...] = ()
    """Joints that deepmodel's networks learn from beside the scored ones."""

    @property
    def learned(self) -> tuple[int, ...]:
        """All joints that those networks learn from, the scored ones first."""
        return self.scored + self.learned_besides

    def cube_of(self, subject: str) -> float:
        return self.cube_mm.get(subject, self.cube_mm[""])


UNKNOWN_SUBJECT = "unknown"
"""The subject of frames whose dataset does not say which person they show."""

# --- NYU -------------------------------------------------------------------------------------------------------

_NYU_FINGERS = (("F1", "little"), ("F2", "ring"), ("F3", "middle"), ("F4", "index"), ("TH", "thumb"))
_NYU_KNUCKLES = ("KNU3_A", "KNU3_B", "KNU2_A", "KNU2_B", "KNU1_A", "KNU1_B")
_NYU_NAMES = tuple(f"{f}_{k}" for f, _ in _NYU_FINGERS for k in _NYU_KNUCKLES) + tuple(f"PALM_{i}" for i in range(1, 7))
_NYU_PARTS = tuple(part for _, part in _NYU_FINGERS for _ in _NYU_KNUCKLES) + ("palm",) * 6
_PALM_CENTRE = 32

NYU_JOINTS = JointSet(
    names=_NYU_NAMES,
    parts=_NYU_PARTS,
    edges=tuple((6 * f + k, 6 * f + k + 1) for f in range(5) for k in range(5))
    + tuple((6 * f + 5, _PALM_CENTRE) for f in range(5))
    + tuple((i, _PALM_CENTRE) for i in (30, 31, 33, 34, 35)),
)
NYU_SCORED = (0, 3, 6, 9, 12, 15, 18, 21, 24, 25, 27, 30, 31, 32)
"""The 14 of 36 joints that every published NYU number is measured on, in the order of the result files."""

_NYU_LEFT_OUT = (26, 29, 33, 34, 35)
NYU_LEARNED_BESIDES = tuple(i for i in range(36) if i not in NYU_SCORED + _NYU_LEFT_OUT)
"""With the scored joints 31 of 36: those that the authors of deepmodel train on in their published program."""

NYU_SCORED_JOINTS = JointSet(
    names=tuple(_NYU_NAMES[i] for i in NYU_SCORED),
    parts=tuple(_NYU_PARTS[i] for i in NYU_SCORED),
    edges=((0, 1), (2, 3), (4, 5), (6, 7), (8, 9), (9, 10)) + tuple((i, 13) for i in (1, 3, 5, 7, 10, 11, 12)),
)
NYU_CONV_JOINT_NAMES = (
    ("PALM_3", "PALM_1", "PALM_2", "TH_KNU3_A", "TH_KNU3_B", "TH_KNU2_B")
    + ("F1_KNU3_A", "F1_KNU2_B", "F2_KNU3_A", "F2_KNU2_B")
    + ("F3_KNU3_A", "F3_KNU2_B", "F4_KNU3_A", "F4_KNU2_B")
)
"""The order of test_predictions.mat and of some networks: palm first."""

NYU_LIE_X_ORDER = (11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 12, 13, 0)
"""Where each of the 14 scored joints stands in the order that Lie-X published its predictions in."""
NYU_TEST_FRAMES = {"test_1": 2440, "test_2": 5812}
"""Frames of the test set's two persons, in file order."""

NYU_LABEL_CAMERA = Camera(587.075, 587.075, 320.0, 240.0, 640, 480)
"""The square-pixel camera that projected joint_uvd, measured from the rigidity of the palm; embedded frames use it."""

NYU = Convention(
    name="nyu",
    title="NYU Hand Pose",
    citation="Tompson et al., Real-Time Continuous Pose Recovery of Human Hands Using Convolutional Networks, TOG 2014",
    licence="CC BY 4.0 as listed by awesome-hand-pose-estimation; check the page before use",
    page="https://jonathantompson.github.io/NYU_Hand_Pose_Dataset.htm",
    sensor="structured light",
    # The camera every published method back-projects with; 0.16 % from the label camera in x.
    camera=Camera(588.03, 587.07, 320.0, 240.0, 640, 480),
    joints=NYU_JOINTS,
    scored=NYU_SCORED,
    learned_besides=NYU_LEARNED_BESIDES,
    centre_joint="PALM_3",
    # The test set's second person has a smaller hand (0.868, later 0.828 of the first).
    cube_mm={"": 300.0, "test_2": 250.0},
    splits=("train", "test"),
    frames={"train": 72757, "test": 8252},
)

# --- ICVL ------------------------------------------------------------------------------------------------------

ICVL_JOINTS = JointSet(
    names=("palm",) + tuple(f"{finger}_{part}" for finger in FINGERS for part in ("root", "mid", "tip")),
    parts=("palm",) + tuple(finger for finger in FINGERS for _ in range(3)),
    edges=tuple(edge for f in range(5) for edge in ((0, 3 * f + 1), (3 * f + 1, 3 * f + 2), (3 * f + 2, 3 * f + 3))),
)
ICVL_SESSIONS = ("201403121135", "201403121140", "201405151126", "201406030937", "201406031456", "201406031503") + (
    "201406031747",
    "201406041509",
    "201406181554",
    "201406181600",
    "201406191014",
    "201406191044",
)
ICVL_SESSION_LINES = (2677, 885, 3475, 1688, 1739, 1389, 1943, 2141, 1570, 1655, 1182, 1724)
"""Unrotated lines of labels.txt per session, in the order of ICVL_SESSIONS."""

ICVL = Convention(
    name="icvl",
    title="ICVL Hand Posture",
    citation="Tang et al., Latent Regression Forest, CVPR 2014",
    licence="none stated; ask the authors",
    page="https://labicvl.github.io/hand.html",
    sensor="time of flight",
    # The leaderboard's camera; several papers use 241.42, a difference of 0.01 mm in the mean error.
    camera=Camera(240.99, 240.96, 160.0, 120.0, 320, 240),
    joints=ICVL_JOINTS,
    scored=tuple(range(16)),
    centre_joint="palm",
    cube_mm={"": 250.0},
    splits=("train", "test"),
    frames={"train": 22068, "test": 1596},
)
ICVL_TEST_FRAMES = {"test_seq_1": 702, "test_seq_2": 894}
ICVL_LINES = 331006
ICVL_IMAGES_MISSING = 73

# --- MSRA15 and MSRA14 -----------------------------------------------------------------------------------------

_MSRA_FINGERS = ("index", "middle", "ring", "little", "thumb")
MSRA_JOINTS = JointSet(
    names=("wrist",) + tuple(f"{f}_{p}" for f in _MSRA_FINGERS for p in ("mcp", "pip", "dip", "tip")),
    parts=("palm",) + tuple(f for f in _MSRA_FINGERS for _ in range(4)),
    edges=tuple(
        edge
        for f in range(5)
        for edge in ((0, 4 * f + 1), (4 * f + 1, 4 * f + 2), (4 * f + 2, 4 * f + 3), (4 * f + 3, 4 * f + 4))
    ),
)
MSRA_SUBJECTS = tuple(f"P{i}" for i in range(9))
MSRA_GESTURES = ("1", "2", "3", "4", "5", "6", "7", "8", "9", "I", "IP", "L", "MP", "RP", "T", "TIP", "Y")
_CREATIVE_CAMERA = Camera(241.42, 241.42, 160.0, 120.0, 320, 240)

MSRA = Convention(
    name="msra",
    title="MSRA15 Hand Gesture",
    citation="Sun et al., Cascaded Hand Pose Regression, CVPR 2015",
    licence="none stated",
    page="https://jimmysuen.github.io/",
    sensor="time of flight",
    camera=_CREATIVE_CAMERA,
    joints=MSRA_JOINTS,
    scored=tuple(range(21)),
    centre_joint="middle_mcp",
    cube_mm={"": 200.0, "P3": 180.0, "P4": 180.0, "P5": 180.0, "P6": 170.0, "P7": 160.0, "P8": 150.0},
    # Leave one subject out: the split of a frame depends on the fold, so the store holds all of them.
    splits=("all",),
    frames={"all": 76375},
)
MSRA_RELEASES = {
    "76375": (8499, 8492, 8412, 8488, 8500, 8497, 8497, 8498, 8492),
    "76391": (8499, 8499, 8406, 8498, 8500, 8497, 8498, 8498, 8496),
}
"""Frames per subject of the two releases in circulation."""

MSRA14 = Convention(
    name="msra14",
    title="MSRA14 Hand Tracking",
    citation="Qian et al., Realtime and Robust Hand Tracking from Depth, CVPR 2014",
    licence="none stated",
    page="https://jimmysuen.github.io/",
    sensor="time of flight",
    camera=_CREATIVE_CAMERA,
    joints=MSRA_JOINTS,
    scored=tuple(range(21)),
    centre_joint="middle_mcp",
    cube_mm={"": 200.0},
    splits=("all",),
    frames={"all": 2400},
)
MSRA14_SUBJECT_SCALE = {
    "Subject1": 1.1,
    "Subject2": 1.0,
    "Subject3": 0.9,
    "Subject4": 0.95,
    "Subject5": 1.1,
    "Subject6": 1.0,
}

# --- Dexter+Object ---------------------------------------------------------------------------------------------

DEXTER_SEQUENCES = ("Grasp1", "Grasp2", "Occlusion", "Pinch", "Rigid", "Rotate")
DEXTER_HAND = "left"
"""Every hand of Dexter+Object; importers do not mirror. MSRA's are right hands, NYU and ICVL do not say."""
DEXTER_CORNERS = ("corner_1", "corner_2", "corner_3")
DEXTER_JOINTS = JointSet(
    names=tuple(f"{finger}_tip" for finger in FINGERS) + DEXTER_CORNERS,
    parts=FINGERS + ("object",) * 3,
    edges=((5, 6), (6, 7)),
)
DEXTER_REVISED_POINTS = 24
"""Of the revised annotations, and of predictions published in their form: 21 hand joints, then three corners."""
DEXTER_REVISED_PLACES = (4, 8, 12, 16, 20, 21, 22, 23)
"""Where `DEXTER_JOINTS` stand among them; thumb first is our reading of the tips."""
SHIPPED, REVISED = "shipped", "revised"
"""What stores and tables call the annotations of the dataset's own archive, and those that came later."""
NOT_ANNOTATED = 32001.0
"""The Creative sensor's no-value code; as a label depth it marks a point that was not annotated."""

DEXTER = Convention(
    name="dexter",
    title="Dexter+Object",
    citation="Sridhar et al., Real-time Joint Tracking of a Hand Manipulating an Object from RGB-D Input, ECCV 2016",
    licence="no restriction known; check the page before use",
    page="https://handtracker.mpi-inf.mpg.de/projects/RealtimeHO/dexter+object.htm",
    sensor="time of flight",
    camera=Camera(224.502, 230.494, 160.0, 120.0, 320, 240),
    joints=DEXTER_JOINTS,
    scored=tuple(range(5)),
    centre_joint="tips",
    cube_mm={"": 300.0},
    splits=("test",),
    frames={"test": 3014},
)

# --- Hands with objects, rendered here ---------------------------------------------------------------------------

CORNERS = tuple(f"corner_{i}{j}{k}" for i in (0, 1) for j in (0, 1) for k in (0, 1))
"""Of an object's bounding box, in the order of geometry.box: the ends of its x, y and z."""
_FIRST_CORNER = len(MSRA_JOINTS.names)
HANDOBJECT_JOINTS = JointSet(
    names=MSRA_JOINTS.names + CORNERS,
    parts=MSRA_JOINTS.parts + ("object",) * len(CORNERS),
    edges=MSRA_JOINTS.edges
    + tuple(
        (_FIRST_CORNER + corner, _FIRST_CORNER + corner + step)
        for step in (1, 2, 4)
        for corner in range(8)
        if not corner & step
    ),
)
SEMI_SYNTHETIC, FULLY_SYNTHETIC = "semi", "full"
"""A frame of a recorded hand with a rendered object; a frame of which all is rendered. The sequences of this set."""

HANDOBJECT = Convention(
    name="handobject",
    title="Hands with objects, rendered",
    citation="our own, made as Oberweger et al., Generalized Feedback Loop, TPAMI 2019, Section 4.1, describe theirs",
    licence="that of the hand frames it is made from",
    page="docs/hand-object-data.md",
    sensor="time of flight",
    camera=_CREATIVE_CAMERA,
    joints=HANDOBJECT_JOINTS,
    scored=tuple(range(len(HANDOBJECT_JOINTS.names))),
    centre_joint="middle_mcp",
    # Room for the hand and what it holds together.
    cube_mm={"": 400.0},
    # By what is held: cuboids as the benchmark's, and the others.
    splits=("train", "spheres", "cylinders", "composed"),
)

# --- Hands alone, rendered here ----------------------------------------------------------------------------------

HANDS = Convention(
    name="hands",
    title="Hands alone, rendered",
    citation="our own, made as Dibra et al., How to Refine 3D Hand Pose Estimation, 3DV 2017, describe theirs",
    licence="that of this program",
    page="docs/refine-training.md",
    sensor="none: depth without noise",
    # Wide enough for a whole hand at 320 mm.
    camera=Camera(440.0, 440.0, 240.0, 240.0, 480, 480),
    joints=MSRA_JOINTS,
    scored=tuple(range(21)),
    centre_joint="middle_mcp",
    # Where a hand is looked for in frames without labels; more of an arm would come in with a larger one.
    cube_mm={"": 240.0},
    splits=("train",),
)

# --- A person's own camera -----------------------------------------------------------------------------------------

WRISTBAND = Convention(
    name="wristband",
    title="Own camera, wristband",
    citation="our own, as Dibra et al., How to Refine 3D Hand Pose Estimation, 3DV 2017, Section 4.2, have one",
    licence="none needed: synthesized here, or a recording of one's own",
    page="docs/formats.md",
    sensor="coded light",
    # About that of an Intel RealSense SR300 at this size; a recording brings its own numbers.
    camera=Camera(475.0, 475.0, 316.0, 245.0, 640, 480),
    joints=MSRA_JOINTS,
    scored=tuple(range(21)),
    centre_joint="middle_mcp",
    cube_mm={"": 250.0},
    splits=("train", "test"),
    # As many as the authors recorded; theirs are not published.
    frames={"train": 50000, "test": 2000},
)

RECORDED = {convention.name: convention for convention in (NYU, ICVL, MSRA, MSRA14, DEXTER)}
"""Released by their authors: downloaded, or synthesized in their own files."""
ONE_HAND = ("nyu", "icvl")
"""Sets that a hand can be fitted to: MSRA is nine people of whom each is left out once, so it has no one hand; Dexter
labels fingertips alone."""
AT_HAND = {convention.name: convention for convention in (WRISTBAND,)}
"""Downloaded from nowhere: with real data the config names their folder. A dataset that is added stands here."""
SYNTHESIZED = {**RECORDED, **AT_HAND}
"""What `synthesize` writes."""
TRAINABLE = tuple(name for name, one in SYNTHESIZED.items() if "train" in one.splits or name == MSRA.name)
"""With frames to train on and others to test on; MSRA by leaving each subject out in turn."""
RENDERED = {convention.name: convention for convention in (HANDOBJECT, HANDS)}
"""Made by `handbench render`; none of their labels is missing."""
DATASETS = {**RECORDED, **RENDERED, **AT_HAND}
