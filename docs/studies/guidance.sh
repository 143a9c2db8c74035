#!/usr/bin/env bash
# How much a model that imagines old classes is guided (docs/results.md): guidance.sh RUNS [SEEDS]
# A generator of digits that has seen other pictures of them, guided without a classifier, beside LUCIR. Five minutes, one for each
# guidance to draw, and one a run.
# What is in RUNS already is not run again. With Stable Diffusion: docs/synthetic_pictures.md.
set -euo pipefail
runs=$1 seeds=${2:-0,1,2}

foreign=(stream.tasks=1 stream.held_back=0.3 stream.use=held_back diffusion.untold=0.1 training.steps=1000 classifier.strategy=none)
if [ -f "$runs/foreign/config.toml" ]; then
    palimpsest resume "$runs/foreign"
else
    palimpsest train digits --strategy conditional_generative_distillation --out "$runs/foreign" "${foreign[@]/#/--set=}"
fi
set=(synthetic.source=generator "synthetic.path=$runs/foreign" synthetic.per_class=50 synthetic.guidance=1,2,4,7.5)
palimpsest study digits_incremental --seeds "$seeds" --strategies lucir --jobs "${JOBS:-2}" --out "$runs/digits_incremental" "${set[@]/#/--set=}"
