#!/usr/bin/env bash
# Guidance and prompts of a text-to-image model beside LUCIR: text_to_image.sh RUNS [MODEL]
# MODEL: a folder of diffusers or a name on the hub. For a GPU: 50,000 pictures for each value, then a run for each seed.
# EXPERIMENT and PROMPTS ask for another stream and its classes; SETS has further settings, such as "synthetic.per_class=20".
# What is in RUNS already is not run again, and each set of pictures is drawn once, into the cache.
set -euo pipefail
runs=$1 model=${2:-CompVis/stable-diffusion-v1-4} experiment=${EXPERIMENT:-incremental_cifar100}
set=(synthetic.source=text_to_image "synthetic.path=$model" "synthetic.prompts=${PROMPTS:-cifar100}" ${SETS:-})

study() { # DIRECTORY KEY=VALUES
    palimpsest study "$experiment" --strategies lucir --jobs "${JOBS:-1}" --out "$runs/$1" "${set[@]/#/--set=}" --set "$2"
}

palimpsest study "$experiment" --strategies lucir --jobs "${JOBS:-1}" --out "$runs/none"
study guidance synthetic.guidance=1,2,4,7.5
study prompts 'synthetic.template="{name}","{name}, {definition}"'
