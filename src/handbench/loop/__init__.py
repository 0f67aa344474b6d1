"""What the feedback papers share: augmented batches, the set of poses, the hinge, the iteration."""
