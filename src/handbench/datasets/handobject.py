"""Rendered hands with objects on disk: 21 joints and 8 corners a frame, in the folders semi/ and full/ of a set."""

from handbench.conventions import FULLY_SYNTHETIC, HANDOBJECT, SEMI_SYNTHETIC
from handbench.datasets.rendered_files import RenderedFiles

FILES = RenderedFiles(HANDOBJECT, (SEMI_SYNTHETIC, FULLY_SYNTHETIC))
