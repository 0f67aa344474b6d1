"""One energy, several optimisers, and the way from joints back to the hand."""
