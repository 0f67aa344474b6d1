"""Error against the direction a hand faces: the yaw and pitch plots of MSRA15, from angles computed of the labels."""

import numpy as np
from jaxtyping import Float, Float64, Int64

from handbench.conventions import MSRA_JOINTS
from handbench.evaluation.metrics import Errors, frame_means

BIN_DEG = 2
YAW_BINS_DEG = np.arange(-40, 41, BIN_DEG)
PITCH_BINS_DEG = np.arange(-10, 91, BIN_DEG)
_WRIST, _MIDDLE, _LITTLE = (MSRA_JOINTS.index(name) for name in ("wrist", "middle_mcp", "little_mcp"))


def measure_view(joints_mm: Float[np.ndarray, "frames 21 3"]) -> Float64[np.ndarray, "frames 2"]:
    """Yaw and pitch of the palm in degrees, as the leaderboard defines them (y down).

    The palm's y axis points from the wrist to the root of the middle finger, its z axis out of the palm. Pitch is
    -asin(y_z); yaw is asin(y_x / cos(pitch)). Both depend on y alone; without a palm plane (wrist, middle and little
    root in one line) there is no frame and both are NaN.
    """
    joints = joints_mm.astype(np.float64)
    along = joints[:, _MIDDLE] - joints[:, _WRIST]
    normal = np.cross(along, joints[:, _LITTLE] - joints[:, _WRIST])
    length = np.linalg.norm(along, axis=1)
    flat = (length == 0) | (np.linalg.norm(normal, axis=1) == 0)
    y = along / np.where(flat, np.nan, length)[:, None]
    pitch = -np.arcsin(np.clip(y[:, 2], -1.0, 1.0))
    cosine = np.cos(pitch)
    # A hand that points straight at the camera has no yaw.
    sine = np.divide(y[:, 0], cosine, out=np.zeros_like(cosine), where=np.abs(cosine) > 1e-12)
    yaw = np.where(flat, np.nan, np.arcsin(np.clip(sine, -1.0, 1.0)))
    return np.degrees(np.stack([yaw, pitch], axis=1))


def view_bins(
    errors_mm: Errors, joints_mm: Float[np.ndarray, "frames 21 3"]
) -> dict[str, dict[str, list[int] | list[float | None]]]:
    """Error and frames in every bin of yaw and of pitch, as plain numbers for JSON; None for a bin without frames.

    `joints_mm` are the labels: all 21 joints, in camera axes with y down.
    """
    angles_deg = measure_view(joints_mm)
    frame_errors_mm = frame_means(errors_mm)
    bins = {}
    for axis, (word, bins_deg) in enumerate((("yaw", YAW_BINS_DEG), ("pitch", PITCH_BINS_DEG))):
        means_mm, counts = average_bins(frame_errors_mm, angles_deg[:, axis], bins_deg)
        bins[word] = {
            "deg": bins_deg.tolist(),
            "error_mm": [None if np.isnan(mean) else round(float(mean), 6) for mean in means_mm],
            "frames": counts.tolist(),
        }
    return bins


def average_bins(
    frame_errors_mm: Float[np.ndarray, "frames"],
    angles_deg: Float[np.ndarray, "frames"],
    bins_deg: Int64[np.ndarray, "bins"],
) -> tuple[Float64[np.ndarray, "bins"], Int64[np.ndarray, "bins"]]:
    """Mean of the frame errors in each 2-degree bin (the angle rounded to an even number), and the frames in it.

    A bin without frames is NaN; frames outside the bins, without an angle or without an error are not counted.
    """
    usable = ~(np.isnan(frame_errors_mm) | np.isnan(angles_deg))
    places = np.rint(angles_deg[usable] / BIN_DEG).astype(np.int64) - bins_deg[0] // BIN_DEG
    errors = frame_errors_mm[usable]
    inside = (places >= 0) & (places < len(bins_deg))
    counts = np.bincount(places[inside], minlength=len(bins_deg))
    sums = np.bincount(places[inside], weights=errors[inside], minlength=len(bins_deg))
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan), counts
