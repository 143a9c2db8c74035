"""Where inputs come from: real pictures, remembered ones, dreams, points on the way to dreams, pure noise."""

from palimpsest.sources.combine import Part, union
from palimpsest.sources.data import Data, Unlabelled
from palimpsest.sources.dreams import Dreams, Halfway
from palimpsest.sources.gaussian import Gaussian
from palimpsest.sources.memory import Memory
from palimpsest.sources.nowhere import nowhere
from palimpsest.sources.pool import Pool
from palimpsest.sources.refreshed import Refreshed
from palimpsest.sources.trajectories import Trajectories

__all__ = [
    "Data",
    "Dreams",
    "Gaussian",
    "Halfway",
    "Memory",
    "Part",
    "Pool",
    "Refreshed",
    "Trajectories",
    "Unlabelled",
    "nowhere",
    "union",
]
