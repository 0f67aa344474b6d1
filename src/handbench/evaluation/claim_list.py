"""What the papers claim and when a claim counts as reproduced: data, in the order of the page of claims."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Claim:
    """One claim of a paper."""

    id: str
    paper: str
    """The paper's word: feedback15, feedback19, deepmodel, refine or crossing."""
    statement: str
    printed: str
    """The paper's own numbers; what it only says stands in quotes."""
    criterion: str
    place: str = ""
    """Where in the paper, and in which other paper."""


_FEEDBACK15 = (
    Claim(
        "FB1",
        "feedback15",
        "the loop corrects what a simple predictor gets wrong",
        "27 to 16.5 mm mean joint error (-39 %), NYU",
        "with the learned synthesizer, 2 iterations leave at least 10 % less error than the initialisation has",
    ),
    Claim(
        "FB2",
        "feedback15",
        "a better initialisation ends a little better",
        "from 23 to 16 mm, against 27 to 16.5 mm",
        "from the better initialisation the final error is not above the other, and the gap between them shrinks",
    ),
    Claim(
        "FB3",
        "feedback15",
        "minimising the image difference itself (L-BFGS-B in a box) makes poses no better",
        "12.2 to 32.3 mm",
        "the image error falls, the pose error does not improve, and feedback ends below it",
        "Fig. 10, feedback19 5.4",
    ),
    Claim(
        "FB4",
        "feedback15",
        "PSO on the same objective fares like L-BFGS-B",
        '"similar results"',
        "as FB3, with PSO",
        "4.5",
    ),
    Claim(
        "FB5",
        "feedback15",
        "from noisy poses around the truth, updates point to the truth",
        "the histogram moves left; every initialisation improves",
        "noise as large as the predictor's error: over 90 % improve; a curve over 5, 10, 20 and 40 mm; from the truth "
        "the update moves by less than a third of the predictor's error",
        "Fig. 12, feedback19 Fig. 13",
    ),
    Claim(
        "FB6",
        "feedback15",
        "the synthesizer is right inside the hand and wrong at its outline",
        "median pixel error 1.3 mm (2015) and 0.1 mm (2019); mean 10.9 +- 32.2 and 8.9 +- 28.5 mm",
        "hand pixels: the median is at most half that of the nearest training pose's image; the mean in a band of 3 "
        "pixels at the outline is at least 3 times the mean inside; figures over all pixels stand beside print",
        "3.3, feedback19 3.4",
    ),
    Claim(
        "FB7",
        "feedback15",
        "training the synthesizer layer by layer beats training it end to end",
        '"lesser errors"',
        "lower test error after as many updates",
        "3.3",
    ),
    Claim(
        "FB8",
        "feedback15",
        "in the updater, strided convolutions beat max-pooling",
        '"inferior accuracy with max-pooling"',
        "lower final pose error",
        "3.4",
    ),
    Claim(
        "FB9",
        "feedback15",
        "wrong annotations blur the synthesized hand",
        "ghost fingers on ICVL",
        "with more label noise the outline is less sharp and the error higher",
        "Fig. 7",
    ),
    Claim(
        "FB10",
        "feedback15",
        "the loop runs in real time",
        "predictor 0.07 ms, iteration 1.2 ms with 0.8 ms of it in the synthesizer, over 400 fps (GTX 780 Ti)",
        "frames a second on a GPU reach the printed speed; the CPU's stand beside it",
        "4.7",
    ),
)

_FEEDBACK19 = (
    Claim(
        "GF1",
        "feedback19",
        "refining the centre of mass with the localizer improves the pose",
        "a gain, without a number",
        "localisation error and pose error both below those of the centre of mass",
        "3.2",
    ),
    Claim(
        "GF2",
        "feedback19",
        "the loop improves even a strong initialisation (DeepPrior++)",
        "12.2 to 10.8 mm (-11 %)",
        "at least 5 % less error",
        "5.3",
    ),
    Claim(
        "GF3",
        "feedback19",
        "fine-tuning all three networks together is as accurate, with images that are harder to read",
        "similar",
        "error within 5 % of separate training, image error higher",
        "3.6",
    ),
    Claim(
        "GF4",
        "feedback19",
        "the loop improves the pose of hand and object together",
        "combined 19.3 to 17.6 mm, average of six sequences",
        "at least 5 % less on average and less on each of the six; corners more accurate than tips",
        "Table 2",
    ),
    Claim(
        "GF5",
        "feedback19",
        "one network for hand and object is much worse",
        "36.6 against 17.6 mm",
        "at least 1.3 times the error",
        "6.3",
    ),
    Claim(
        "GF6",
        "feedback19",
        "two iterations are enough",
        "further ones change little",
        "iteration 3 changes the error by less than 2 % of the initial error",
        "6.3",
    ),
    Claim(
        "GF7",
        "feedback19",
        "objects never seen disturb the object localizer, not the hand localizer",
        "hand +1 mm, object +40 mm (trained on spheres, tested on cuboids)",
        "the object's loss is at least 5 times the hand's, which counts as no less than 1 mm",
        "6.3",
    ),
    Claim(
        "GF8",
        "feedback19",
        "an object synthesizer network serves as well as an OpenGL renderer",
        "similar",
        "within 10 %",
        "4.5",
    ),
    Claim(
        "GF9",
        "feedback19",
        "eight box corners and Procrustes beat predicting rotation and translation",
        "cited",
        "lower corner error",
        "4.4",
    ),
    Claim(
        "GF10",
        "feedback19",
        "the ranking of published methods on NYU",
        "12 rows, 20.7 to 10.6 mm",
        "at least seven of the eight rows with published 3D predictions within 0.3 mm of print, exceptions named",
        "Table 1",
    ),
    Claim(
        "GF11",
        "feedback19",
        "hand and object in real time",
        "over 40 fps (GTX 980 Ti)",
        "frames a second on a GPU reach the printed speed",
        "6.5",
    ),
)

_DEEPMODEL = (
    Claim(
        "DM1",
        "deepmodel",
        "a joint loss through the hand-model layer does best on joints and angles together",
        "mm / degrees: direct joint 17.2 / 21.4, direct parameter 26.7 / 12.2, without physical loss 16.9 / 12.0, "
        "full 16.9 / 12.2",
        "full: joint error not above direct joint, angle error at most 0.75 of it; direct parameter has the largest "
        "joint error",
        "Table 1",
    ),
    Claim(
        "DM2",
        "deepmodel",
        "the physical loss does away with impossible angles",
        "frames with an angle out of range: 18.6 % without, 0.9 % with",
        "at least 10 times fewer",
        "4.1",
    ),
    Claim(
        "DM3",
        "deepmodel",
        "poses that PSO fits to the joints explain them",
        "5.68 mm on average, variance 1.94",
        "average under 6 mm, on the geometry of real NYU labels and on synthetic ones",
        "4",
    ),
    Claim(
        "DM4",
        "deepmodel",
        "ahead of published methods on NYU and ICVL",
        "curves",
        "recomputed: ahead of DeepPrior on NYU and of LRF on ICVL, in mean error and in frames within 40 mm",
        "Figs. 5-7",
    ),
    Claim(
        "DM5",
        "deepmodel",
        "runs in real time",
        "125 fps, 8 ms a frame (GTX 960)",
        "frames a second reach the printed speed",
        "4",
    ),
)

_REFINE = (
    Claim(
        "RF1",
        "refine",
        "on unlabelled data the depth loss alone improves a network trained on synthetic hands",
        "Fig. 5, NYU and ICVL",
        "lower joint error on a shifted domain: another hand shape, other sensor noise",
        "4.4",
    ),
    Claim(
        "RF2",
        "refine",
        "collision and physical losses gain again on noisy data, little on clean data",
        "Fig. 5",
        "lower again on the noisy set; the gain on the clean set is under half of that",
        "4.4",
    ),
    Claim(
        "RF3",
        "refine",
        "fitting a single image finds its pose",
        "Fig. 3",
        "in most images the depth error falls by over half in 70 steps",
        "4.3",
    ),
    Claim(
        "RF4",
        "refine",
        "optimising the point cloud alone fits the shape of the hand",
        "Fig. 4: the loss nearly vanishes",
        "fitted to single images of the smallest hand, in true poses, the loss falls by over 80 % on those and by over "
        "30 % on as many other poses of that hand; the points come nearer the true surface",
        "4.3",
    ),
    Claim(
        "RF5",
        "refine",
        "error and jitter fall on own recordings",
        "variance of the depth MSE 0.0035 to 0.0026",
        "mean and variance both fall",
        "4.4",
    ),
    Claim(
        "RF6",
        "refine",
        "taking the skeleton's bias out moves the curve up",
        "Fig. 8, dashed",
        "on embedded data the true error (predictions put into the target's skeleton) lies between the raw and the "
        "bias-removed curve",
        "4.5",
    ),
    Claim(
        "RF7",
        "refine",
        "real time, and retrained within the hour",
        "3.5 ms forward; 10 epochs of 50 k images in 30 min (GTX 1060)",
        "both speeds reach the printed ones",
        "4.6",
    ),
)

_CROSSING = (
    Claim(
        "CN1",
        "crossing",
        "semi-supervised training beats both baselines whatever the share of labels",
        "Fig. 3, m = 2 to 100 %",
        "lower error at every share that was run, on three data sets",
        "5.1",
    ),
    Claim(
        "CN2",
        "crossing",
        "GAN pre-training helps only where labels are scarce (2 %)",
        "Fig. 3",
        "better than training from scratch at 2 %, not at 5 % and above",
        "5.1",
    ),
    Claim(
        "CN3",
        "crossing",
        "the smoothness task and the GAN task both help",
        "Fig. 4",
        "leaving out either raises the error",
        "5.2",
    ),
    Claim(
        "CN4",
        "crossing",
        "walks through the shared latent space give coherent poses and depth maps",
        "a figure",
        "in a walk of 50 points the largest joint step is at most 3 times the median step; generated depth lies within "
        "1.5 times the test reconstruction error of the rendered decoded pose; ours beside it: both lie below what "
        "background alone and the hand of another pose give",
        "Fig. 1",
    ),
    Claim(
        "CN5",
        "crossing",
        "nearest-neighbour search (PCA 512) is a fair baseline on MSRA, not on NYU and ICVL",
        "Fig. 4",
        "the error of nn-search over that of the estimator is lowest on MSRA",
        "5.3",
    ),
    Claim(
        "CN6",
        "crossing",
        "real time on a CPU",
        "11 ms an image, 90.9 fps (i7 3.4 GHz)",
        "at most 11 ms on two cores",
        "5",
    ),
)

CLAIMS = _FEEDBACK15 + _FEEDBACK19 + _DEEPMODEL + _REFINE + _CROSSING
