"""A run is a directory that explains itself: experiments, run directories, checkpoints, events, and what opens them."""
