"""Pure functions on points, cameras, crops and rotations; no files, no state."""
