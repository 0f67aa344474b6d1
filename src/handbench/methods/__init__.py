"""One file a paper, or a baseline: its equations in its order, then what trains and predicts with them."""
