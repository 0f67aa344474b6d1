"""The published record: authors' own predictions and the ground truth they were scored on, as data.

Every file is one line a frame in the order of the test list, `u v d` of each scored joint separated by white space.
Some lines end in a space or a carriage return (LRF, DeepModel), so columns are counted after splitting.
"""

from dataclasses import dataclass

UPSTREAM_PAGE = "https://github.com/xinghaochen/awesome-hand-pose-estimation"
UPSTREAM_COMMIT = "e297a6ea7fd557bd5701c97a3437c551c4b4fbce"
UPSTREAM_LICENCE = "none stated; the files are their authors': cite the papers you compare with"
_RAW = f"https://raw.githubusercontent.com/xinghaochen/awesome-hand-pose-estimation/{UPSTREAM_COMMIT}/evaluation"
_JOINTS = {"nyu": 14, "icvl": 16}

METHODS = {
    "lrf": ("LRF", "Tang et al., Latent Regression Forest, CVPR 2014"),
    "deepprior": ("DeepPrior", "Oberweger et al., Hands Deep in Deep Learning for Hand Pose Estimation, CVWW 2015"),
    "deepprior-refinement": (
        "DeepPrior-Refinement",
        "Oberweger et al., Hands Deep in Deep Learning for Hand Pose Estimation, CVWW 2015",
    ),
    "feedback": ("Feedback", "Oberweger et al., Training a Feedback Loop for Hand Pose Estimation, ICCV 2015"),
    "deepmodel": ("DeepModel", "Zhou et al., Model-based Deep Hand Pose Estimation, IJCAI 2016"),
    "lie-x": ("Lie-X", "Xu et al., Lie-X: Depth Image Based Articulated Object Pose Estimation, IJCV 2016"),
    "3dcnn": (
        "3DCNN",
        "Ge et al., 3D Convolutional Neural Networks for Efficient and Robust Hand Pose Estimation, CVPR 2017",
    ),
    "ren-4x6x6": ("REN-4x6x6", "Guo et al., Region Ensemble Network, ICIP 2017"),
    "deepprior++": (
        "DeepPrior++",
        "Oberweger and Lepetit, DeepPrior++: Improving Fast and Accurate 3D Hand Pose Estimation, ICCVW 2017",
    ),
    "pose-ren": ("Pose-REN", "Chen et al., Pose Guided Structured Region Ensemble Network, Neurocomputing 2018"),
    "generalized-feedback": (
        "Generalized Feedback",
        "Oberweger et al., Generalized Feedback Loop for Joint Hand-Object Pose Estimation, TPAMI 2019",
    ),
}
"""Method word: the name tables print and the paper to cite."""


@dataclass(frozen=True)
class PublishedFile:
    """One file of the record and all that is known of it before it is opened."""

    key: str
    """`<dataset>/<method word>` for predictions, `<dataset>/labels` and `<dataset>/names` for the ground truth."""
    dataset: str
    role: str
    """prediction, labels (ground truth, same layout) or names (the frame names in order, one a line)."""
    method: str
    """Name as tables print it; empty for ground truth."""
    paper: str
    file: str
    """Path below the download's raw folder."""
    address: str
    sha256: str
    size_bytes: int
    frames: int
    """Rows; 702 of ICVL's 1,596 cover sequence 1 alone."""
    joints: int
    columns: int
    """White-space separated fields a row: 3 a joint, or 1 for names."""
    layout: str
    """uvd (pixels and millimetres) or names."""


def _prediction(dataset: str, word: str, name: str, frames: int, size_bytes: int, sha256: str) -> PublishedFile:
    method, paper = METHODS[word]
    return PublishedFile(
        key=f"{dataset}/{word}",
        dataset=dataset,
        role="prediction",
        method=method,
        paper=paper,
        file=f"{dataset}/{name}",
        address=f"{_RAW}/results/{dataset}/{name}",
        sha256=sha256,
        size_bytes=size_bytes,
        frames=frames,
        joints=_JOINTS[dataset],
        columns=3 * _JOINTS[dataset],
        layout="uvd",
    )


def _truth(dataset: str, role: str, name: str, frames: int, size_bytes: int, sha256: str) -> PublishedFile:
    return PublishedFile(
        key=f"{dataset}/{role}",
        dataset=dataset,
        role=role,
        method="",
        paper="",
        file=f"{dataset}/{name}",
        address=f"{_RAW}/groundtruth/{dataset}/{name}",
        sha256=sha256,
        size_bytes=size_bytes,
        frames=frames,
        joints=_JOINTS[dataset],
        columns=3 * _JOINTS[dataset] if role == "labels" else 1,
        layout="uvd" if role == "labels" else "names",
    )


# fmt: off
PUBLISHED = (
    _prediction("nyu", "deepprior", "CVWW15_NYU_Prior.txt", 8252, 2799284,
        "dc1b30d99c816f105336cdbf12739fece716a23a4ce84619c35e0b2cc91249b0"),
    _prediction("nyu", "deepprior-refinement", "CVWW15_NYU_Prior-Refinement.txt", 8252, 2799621,
        "390fe08d962c81f760c62b85485282f0a906d16d38f356211244891e0aa72e61"),
    _prediction("nyu", "feedback", "ICCV15_NYU_Feedback.txt", 8252, 2799196,
        "d8660937cccbebea591b00e16f41f4d1e2ce58541059d7901604ea4abeb92a9e"),
    _prediction("nyu", "deepmodel", "IJCAI16_NYU_DeepModel.txt", 8252, 2807112,
        "24e2c312adfc6ac0d614143f40e15de8ff65f58fcf2c3c87c193cf4d041c1713"),
    _prediction("nyu", "lie-x", "IJCV16_NYU_LieX.txt", 8252, 2799107,
        "827fc5f0b1c36ccfb902a388609640518917b1194872cc5bc3506190b5d81d48"),
    _prediction("nyu", "3dcnn", "CVPR17_NYU_3DCNN.txt", 8252, 2799395,
        "cdac3ca2b016daa3faf715bbf58e3a87c09802cbd042f060e441f9fa8b52e8e4"),
    _prediction("nyu", "ren-4x6x6", "ICIP17_NYU_REN_4x6x6.txt", 8252, 2800395,
        "2b444f32de5370f7819524fd62c953353c0dd75076629b53296ad4311aa0d364"),
    _prediction("nyu", "deepprior++", "ICCVW17_NYU_DeepPrior++.txt", 8252, 2799068,
        "cb8651724adb4a1071aafc6baf30638f5641e6320747d149fadee12e4148f891"),
    _prediction("nyu", "pose-ren", "NEUCOM18_NYU_Pose_REN.txt", 8252, 2800347,
        "90355c61f1c0912f8dfcaa7fbcb4864d3bd5888e8e271ffb74323f74b8a3084b"),
    _prediction("nyu", "generalized-feedback", "TPAMI19_NYU_Generalized_Feedback.txt", 8252, 2799105,
        "90c4cf33754e23b44b30af0c5c0231066bba7d94ac05e23b9802fd3db066d8ae"),
    _truth("nyu", "labels", "nyu_test_groundtruth_label.txt", 8252, 2798925,
        "ffd64a0b6c2040231d91334a5b08ac4d7f0fc40fecf4f4a32deb7370c7db3707"),
    _truth("nyu", "names", "nyu_test_list.txt", 8252, 206300,
        "d26ab014da5fb7ba7da6ddb67eaae5f9f99da67c305f06f00be3b60305033244"),
    _prediction("icvl", "lrf", "CVPR14_LRF_Results.txt", 1596, 607380,
        "6272cbc1add1581a387b69abbbaced0bfc45719a505bbebb6549befe7b886b37"),
    _prediction("icvl", "deepprior", "CVWW15_ICVL_Prior.txt", 702, 266451,
        "974ea6e6a3483a9f0e96d066b5e003ffab7f18fdcde9e2dec330095b3dc09a78"),
    _prediction("icvl", "deepprior-refinement", "CVWW15_ICVL_Prior-Refinement.txt", 702, 266136,
        "71d43d1cb649acba20b6b017b1c75f9274840f3e9502f0a43ed607f6b352856c"),
    _prediction("icvl", "deepmodel", "IJCAI16_ICVL_DeepModel.txt", 1596, 606189,
        "4f7befcd6d24b5280bc6e0447359635f4d171ed8625582bb6f011014135054f4"),
    _prediction("icvl", "ren-4x6x6", "ICIP17_ICVL_REN_4x6x6.txt", 1596, 605954,
        "22c11504f97ebf32533df8ba2e71a28e0d5a6c0e556a9c13dbfe0bc20f1d8f9c"),
    _truth("icvl", "labels", "icvl_test_groundtruth_label.txt", 1596, 602540,
        "4b4e037af9dd9ff3dabdb50faa0f92fc2eda13606799a90a983de8bf71be4eb3"),
    _truth("icvl", "names", "icvl_test_list.txt", 1596, 41496,
        "f484871cecedd16824a7641ed2484da0b83b2f3fabda298b48b6daab4e6b5acb"),
)
# fmt: on


def find_published(key: str) -> PublishedFile:
    """The entry with this key; a KeyError names the keys that exist."""
    for entry in PUBLISHED:
        if entry.key == key:
            return entry
    raise KeyError(f"{key!r} is not in the published record; it holds {', '.join(e.key for e in PUBLISHED)}")
