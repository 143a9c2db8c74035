#!/usr/bin/env bash
# The runs behind the tables of digits in docs/trajectory_distillation.md: digits.sh RUNS [SEEDS]
# What is in RUNS already is not run again. About two minutes a run, two runs at a time.
set -euo pipefail
runs=$1 seeds=${2:-0,1,2,3,4}
gd=strategy.generative_distillation td=strategy.trajectory_distillation

study() { # STRATEGIES [KEY=VALUE]...
    local strategies=$1 sets=() each
    shift
    for each in training.batch=16 classifier.strategy=none evaluation.denoising=0 evaluation.replay=0 evaluation.memorisation=0 "$@"; do
        sets+=(--set "$each")
    done
    palimpsest study digits --seeds "$seeds" --strategies "$strategies" --jobs "${JOBS:-2}" --out "$runs" "${sets[@]}"
}

study generative_distillation $gd.teacher_steps=10 $gd.reuse=10
study generative_distillation,joint,generative_replay
study generative_distillation $gd.teacher_steps=10 $gd.reuse=1
study trajectory_distillation $td.teacher_steps=10,20,50 $td.teacher_sampler='"fresh"'
study trajectory_distillation $td.teacher_steps=20 $td.teacher_sampler='"fresh"' $td.renoised=0.5
study trajectory_distillation $td.teacher_sampler='"ddim"' $td.teacher_steps=10 $td.renoised=0,0.25,0.5,0.75
study generative_distillation $gd.teacher_steps=20 $gd.reuse=20,10
study trajectory_distillation $td.teacher_sampler='"ddim"' $td.teacher_steps=20,5,2,50 $td.renoised=0,0.5
study generative_distillation $gd.teacher_steps=10 $gd.reuse=5
study generative_distillation $gd.teacher_steps=2 $gd.reuse=2
study generative_distillation $gd.teacher_steps=5 $gd.reuse=1,5
study generative_distillation $gd.teacher_steps=50 $gd.reuse=50
study partial_distillation,finetune
study generative_distillation $gd.teacher_steps=10 $gd.reuse=10 $gd.strength=0.5,1.5
study trajectory_distillation $td.teacher_sampler='"ddim"' $td.teacher_steps=10 $td.stratified=false
study generative_distillation $gd.teacher_steps=10 $gd.reuse=10 training.average=0.99 training.teacher_weights='"average"'
study trajectory_distillation $td.teacher_sampler='"ddim"' $td.teacher_steps=10 $td.clamp=true,false diffusion.zero_terminal_snr=false
study generative_distillation $gd.teacher_steps=10 $gd.reuse=10 diffusion.zero_terminal_snr=false
study lwf,experience_replay,dark_replay,gaussian_distillation,ewc,rank1_ewc
study generative_distillation stream.tasks=10
study generative_distillation $gd.teacher_steps=10 $gd.reuse=10 stream.tasks=10
study trajectory_distillation $td.teacher_sampler='"ddim"' $td.teacher_steps=10 $td.renoised=0,0.75 stream.tasks=10
study trajectory_distillation $td.teacher_steps=20 $td.teacher_sampler='"fresh"' stream.tasks=10
