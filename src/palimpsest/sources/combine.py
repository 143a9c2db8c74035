"""Sources made of sources."""

from palimpsest.sources.data import Data
from palimpsest.streams.pictures import Readable, joined


def union(data: Data, past: Readable) -> Data:
    """The task's pictures together with those of the past, as one body of real training data.

    It keeps the name and the flip of `data`: all real training data draw under one name, so that on the first task,
    where there is no past, this is `data` itself.
    """
    return Data(joined((past, data.pictures)), data.flip, data.name) if len(past) else data
