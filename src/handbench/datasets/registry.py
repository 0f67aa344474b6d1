"""What can be downloaded: the archives of each dataset, where they live, and where to ask when an address is dead.

Data, nothing that computes. No author publishes a checksum of these archives, so none is stated; what is checked
instead is the announced length, the kind of file and the integrity data inside the archive itself.
"""

from dataclasses import dataclass

from handbench.conventions import RECORDED
from handbench.datasets.published import PUBLISHED, UPSTREAM_LICENCE, UPSTREAM_PAGE

WORDS = ("nyu", "icvl", "msra", "msra14", "dexter", "published")

ARCHIVE_AND_TREE = 2.2
"""Disk for an archive and its unpacked tree, as a multiple of the archive: PNG files hardly shrink any more."""


@dataclass(frozen=True)
class Archive:
    """One file to fetch and unpack."""

    name: str
    addresses: tuple[str, ...] = ()
    """Tried in this order; empty where only the page hands the file out."""
    dead: tuple[str, ...] = ()
    """Addresses that papers and repositories still quote; never tried."""
    home: str = ""
    """Folder that the files belong in; made where the archive does not bring it as its own top folder."""
    proof: tuple[str, ...] = ()
    """Files of which one must lie in `home`: tells the archives of one dataset apart."""
    sha256: str = ""
    size_bytes: int | None = None
    """Exact length where known; another length is refused."""
    about_bytes: int = 0
    """Rough length for the check of free disk; 0 where nobody states one."""


@dataclass(frozen=True)
class Release:
    """Everything `download` needs to know about one word."""

    word: str
    title: str
    citation: str
    licence: str
    page: str
    archives: tuple[Archive, ...] = ()

    @property
    def need_bytes(self) -> int:
        """Free disk to ask for before anything begins."""
        if self.word == "published":
            return sum(entry.size_bytes for entry in PUBLISHED)
        return int(ARCHIVE_AND_TREE * sum(archive.size_bytes or archive.about_bytes for archive in self.archives))


def _release(word: str, *archives: Archive) -> Release:
    convention = RECORDED[word]
    return Release(word, convention.title, convention.citation, convention.licence, convention.page, archives)


RELEASES = {
    "nyu": _release(
        "nyu",
        Archive(
            name="nyu_hand_dataset_v2.zip",
            addresses=("http://horatio.cs.nyu.edu/mit/tompson/nyu_hand_dataset_v2.zip",),
            about_bytes=92_000_000_000,
        ),
    ),
    # The page hands out its links itself, and they have moved more than once.
    "icvl": _release(
        "icvl",
        Archive(
            name="Training.tar.gz",
            home="Training",
            proof=("labels.txt", "train.txt"),
            dead=("http://www.iis.ee.ic.ac.uk/~dtang/hand.html",),
        ),
        Archive(
            name="Testing.tar.gz",
            home="Testing",
            proof=("test_seq_1.txt",),
            dead=("http://www.iis.ee.ic.ac.uk/~dtang/hand.html",),
        ),
    ),
    "msra": _release(
        "msra",
        Archive(
            name="cvpr15_MSRAHandGestureDB.zip",
            # dl=1 asks Dropbox for the file; dl=0, as the links are usually quoted, gives a web page.
            addresses=(
                "https://www.dropbox.com/s/c91xvevra867m6t/cvpr15_MSRAHandGestureDB.zip?dl=1",
                "https://www.dropbox.com/s/bmx2w0zbnyghtp7/cvpr15_MSRAHandGestureDB.zip?dl=1",
            ),
            dead=("http://research.microsoft.com/en-us/um/people/yichenw/handpose/cvpr15_MSRAHandGestureDB.zip",),
        ),
    ),
    "msra14": _release(
        "msra14",
        Archive(
            name="Release_2014_5_28.zip",
            dead=("http://research.microsoft.com/en-us/um/people/yichenw/handtracking/index.html",),
        ),
    ),
    "dexter": _release("dexter", Archive(name="dexter+object.zip")),
    "published": Release(
        "published",
        "Published predictions",
        "the paper of each method, listed in docs/downloads.md; collected by awesome-hand-pose-estimation",
        UPSTREAM_LICENCE,
        UPSTREAM_PAGE,
    ),
}
