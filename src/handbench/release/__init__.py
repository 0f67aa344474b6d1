"""Trained networks handed on: packed from results with a model card each, listed, fetched and verified."""
