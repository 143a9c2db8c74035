"""What the student should say: the head it is asked with, the wanted answer, the distance to it."""

from palimpsest.targets.balance import Balance, OwnLabel
from palimpsest.targets.features import MadeFeatures, OwnLoss, TaughtFeatures
from palimpsest.targets.incremental import Margin, Sigmoids
from palimpsest.targets.labels import Confident, Label, Soft, judged, label
from palimpsest.targets.neighbours import Neighbours, TaughtNeighbours
from palimpsest.targets.noise import TaughtNoise, true_noise
from palimpsest.targets.parts import OnParts
from palimpsest.targets.real import OnReal
from palimpsest.targets.several import Several, both_of
from palimpsest.targets.stages import NeighbourhoodComponents, Once, TaughtStages

__all__ = [
    "Balance",
    "Confident",
    "Label",
    "MadeFeatures",
    "Margin",
    "Neighbours",
    "OnParts",
    "OnReal",
    "NeighbourhoodComponents",
    "Once",
    "OwnLabel",
    "OwnLoss",
    "Several",
    "Sigmoids",
    "Soft",
    "TaughtFeatures",
    "TaughtNeighbours",
    "TaughtNoise",
    "TaughtStages",
    "both_of",
    "judged",
    "label",
    "true_noise",
]
