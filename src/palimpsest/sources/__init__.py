"""Where inputs come from: real pictures, remembered ones, dreams, dreams half-way, pure noise."""

from palimpsest.sources.combine import union
from palimpsest.sources.data import Data
from palimpsest.sources.dreams import Dreams, Halfway
from palimpsest.sources.gaussian import Gaussian
from palimpsest.sources.memory import Memory

__all__ = ["Data", "Dreams", "Gaussian", "Halfway", "Memory", "union"]
