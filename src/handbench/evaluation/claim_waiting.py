"""What each claim without a decider waits for; a row goes when the paper's file gains the decider."""

WAITING = {
    "RF1": "base network and its refinement by the depth loss on a shifted domain",
    "RF2": "refinement by the depth loss alone and by all losses, on noisy and on clean data",
    "RF3": "single-image fits of 70 steps",
    "RF4": "fits of the point cloud alone, on fitted and on held-out poses",
    "RF5": "base and refined networks on a recording",
    "RF6": "refined network on embedded data, with raw, bias-removed and re-expressed predictions",
    "RF7": "base network timed, forward and in training",
}
"""Claim: what there are no results of, as it follows `no results of <paper>'s`."""
