"""What each claim without a decider waits for; a row goes when the paper's file gains the decider."""

WAITING = {
    "RF1": "base network and its refinement by the depth loss on a shifted domain",
    "RF2": "refinement by the depth loss alone and by all losses, on noisy and on clean data",
    "RF3": "single-image fits of 70 steps",
    "RF4": "fits of the point cloud alone, on fitted and on held-out poses",
    "RF5": "base and refined networks on a recording",
    "RF6": "refined network on embedded data, with raw, bias-removed and re-expressed predictions",
    "RF7": "base network timed, forward and in training",
    "CN1": "semi-supervised estimator and both baselines at every share of labels, on nyu, icvl and msra",
    "CN2": "estimator at 2 % of the labels and more, with and without GAN pre-training",
    "CN3": "estimator in full, without the smoothness task and without the GAN task",
    "CN4": "walks through the shared latent space",
    "CN6": "estimator timed on two cores",
}
"""Claim: what there are no results of, as it follows `no results of <paper>'s`."""
