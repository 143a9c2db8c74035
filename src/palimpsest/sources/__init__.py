"""Where inputs come from: real pictures, remembered ones, dreams, points on the way to dreams, pure noise."""

from palimpsest.sources.combine import Part, counts_of, rows_in, union
from palimpsest.sources.data import Data, Unlabelled
from palimpsest.sources.dreams import Dreams, Halfway
from palimpsest.sources.features import Codes, Featured, FeatureDreams
from palimpsest.sources.gaussian import Gaussian
from palimpsest.sources.keeping import Keeping
from palimpsest.sources.memory import Memory
from palimpsest.sources.mixed import Mixed
from palimpsest.sources.nowhere import nowhere
from palimpsest.sources.pool import Pool
from palimpsest.sources.refreshed import Refreshed
from palimpsest.sources.supported import Supported
from palimpsest.sources.trajectories import Trajectories

__all__ = [
    "Codes",
    "Data",
    "Dreams",
    "FeatureDreams",
    "Featured",
    "Gaussian",
    "Halfway",
    "Keeping",
    "Memory",
    "Part",
    "Mixed",
    "Pool",
    "Refreshed",
    "Supported",
    "Trajectories",
    "Unlabelled",
    "counts_of",
    "nowhere",
    "rows_in",
    "union",
]
