"""The samplers in words. Read by `palimpsest list samplers`; imports no torch."""

SAMPLERS = {
    "ddim": "deterministic steps along the predicted noise (Song et al. 2021); eta > 0 adds noise",
    "ddpm": "ancestral steps, noise in every one (Ho et al. 2020)",
    "dpmsolver++": "diffusers' DPMSolverMultistepScheduler (Lu et al. 2022)",
    "unipc": "diffusers' UniPCMultistepScheduler (Zhao et al. 2023)",
    "...Scheduler": "any scheduler of diffusers, by the name of its class",
}
