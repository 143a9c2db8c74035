#!/usr/bin/env bash
# Where a teacher's pass should go, on Fashion-MNIST at 16×16, and quality against cost of every strategy
# (docs/trajectory_distillation.md): trajectory_fashion_mnist.sh RUNS
# What is in RUNS already is not run again. Ten to twenty-five minutes a run, two at a time.
set -euo pipefail
runs=$1
gd=strategy.generative_distillation td=strategy.trajectory_distillation

study() { # SEEDS STRATEGIES [KEY=VALUE]...
    local seeds=$1 strategies=$2 sets=(--set classifier.strategy=none) each
    shift 2
    for each in "$@"; do sets+=(--set "$each"); done
    palimpsest study fashion_mnist_small --seeds "$seeds" --strategies "$strategies" --jobs "${JOBS:-2}" --out "$runs" "${sets[@]}"
}

study 42,69,1714 trajectory_distillation
study 42,69,1714 generative_distillation $gd.teacher_steps=10 $gd.reuse=10
study 42,69,1714 joint,generative_distillation,generative_replay,partial_distillation
study 42 lwf,experience_replay,dark_replay,gaussian_distillation,ewc,rank1_ewc,finetune
study 42 trajectory_distillation $td.teacher_steps=10 $td.teacher_sampler='"ddim"'
study 42,69,1714 generative_distillation $gd.teacher_steps=10 $gd.reuse=1
