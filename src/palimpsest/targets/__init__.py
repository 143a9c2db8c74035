"""What the student should say: the head it is asked with, the wanted answer, the distance to it."""

from palimpsest.targets.labels import Confident, Label, Soft, label
from palimpsest.targets.noise import TaughtNoise, true_noise

__all__ = ["Confident", "Label", "Soft", "TaughtNoise", "label", "true_noise"]
