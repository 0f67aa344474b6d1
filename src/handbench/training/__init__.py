"""The short life of a training run: data in, checkpoint out, what it did tracked."""
