"""palimpsest teaches diffusion models new things without the old data, and proves what they kept."""
