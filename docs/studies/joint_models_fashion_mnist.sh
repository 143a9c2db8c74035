#!/usr/bin/env bash
# Joint models on Fashion-MNIST at 16×16 (docs/results.md): joint_models_fashion_mnist.sh RUNS [SEEDS]
# What is in RUNS already is not run again. Fifteen to twenty minutes of one core a run, but for fine-tuning.
set -euo pipefail
runs=$1 seeds=${2:-42,69,1714}

palimpsest study fashion_mnist_small --seeds "$seeds" --strategies jdcl,dgr_diffusion --jobs "${JOBS:-2}" --out "$runs"
palimpsest study fashion_mnist_small --seeds "$seeds" --strategies dgr_diffusion --set classifier.training.steps=400 --jobs "${JOBS:-2}" --out "$runs"
palimpsest study fashion_mnist_small --seeds "$seeds" --strategies finetune --set learner=classifier --jobs "${JOBS:-2}" --out "$runs"
