"""The baselines that stand in both feedback papers' tables: data alone, as the workflow reads it to plan its jobs."""

BASELINES = {
    "Simple predictor": "feedback15_predictor",
    "DeepPrior": "feedback15_deepprior",
    "DeepPrior++": "feedback19_predictor",
    "Nearest neighbour": "nn_search",
}
"""Names of rows and the modules that they stand for."""
COMPARED = ("feedback15", "feedback19")
"""The papers that have them."""
