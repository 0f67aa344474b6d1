"""What each claim without a decider waits for; a row goes when the paper's file gains the decider."""

WAITING = {
    "CN1": "semi-supervised estimator and both baselines at every share of labels, on nyu, icvl and msra",
    "CN2": "estimator at 2 % of the labels and more, with and without GAN pre-training",
    "CN3": "estimator in full, without the smoothness task and without the GAN task",
    "CN4": "walks through the shared latent space",
    "CN6": "estimator timed on two cores",
}
"""Claim: what there are no results of, as it follows `no results of <paper>'s`."""
