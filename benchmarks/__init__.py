"""Side-by-side timings of the fast paths against their peers; `python -m benchmarks` runs them."""
