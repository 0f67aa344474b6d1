"""What the tests of the doctor share: a writer and a first depth file of each miniature, and how findings are read."""

from collections.abc import Callable
from pathlib import Path

import miniature

from handbench.datasets.doctor import Diagnosis

WRITERS: dict[str, Callable[[Path], Path]] = {
    "nyu": miniature.write_nyu,
    "icvl": miniature.write_icvl,
    "msra": miniature.write_msra,
    "msra14": miniature.write_msra14,
    "dexter": miniature.write_dexter,
    "wristband": miniature.write_wristband,
}


FIRST = {
    "nyu": "test/depth_1_0000001.png",
    "icvl": "Testing/Depth/test_seq_1/image_0000.png",
    "msra": "P0/1/000000_depth.bin",
    "msra14": "Subject1/000000_depth.bin",
    "dexter": "data/Grasp1/depth/00000_depth.png",
    "wristband": "test/000000.png",
}


def errors(diagnosis: Diagnosis) -> list[str]:
    return [finding.what for finding in diagnosis.findings if finding.level == "error"]


def assert_said(diagnosis: Diagnosis, *parts: str, level: str = "error") -> None:
    """One finding of that level has all the parts, one line each, and says how to mend it."""
    matching = [f for f in diagnosis.findings if f.level == level and all(part in f.what for part in parts)]
    assert matching, str(diagnosis)
    for finding in matching:
        assert finding.mend or level == "note"
        assert "\n" not in finding.what + finding.mend
    assert diagnosis.usable == (not errors(diagnosis))
