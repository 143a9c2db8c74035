"""Tables of runs. They read run directories, never train, and never import torch."""
