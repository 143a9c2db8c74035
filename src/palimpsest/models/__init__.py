"""Networks, and averages of their weights. They know no diffusion and no task."""
