#!/usr/bin/env bash
# Joint models, their ablations and their peers on digits (docs/results.md): joint_models.sh RUNS [SEEDS]
# The table of every run: python docs/studies/each_run.py docs/studies/joint_models.csv RUNS/*
# What is in RUNS already is not run again. Two to seven minutes a run.
set -euo pipefail
runs=$1 seeds=${2:-0,1,2}

study() { # EXPERIMENT STRATEGIES [KEY=VALUE]...
    local experiment=$1 strategies=$2 sets=() each
    shift 2
    for each in "$@"; do sets+=(--set "$each"); done
    palimpsest study "$experiment" --seeds "$seeds" --strategies "$strategies" --jobs "${JOBS:-2}" --out "$runs/$experiment" "${sets[@]}"
}

study digits jdcl,dgr_diffusion
study digits finetune,joint learner=classifier
# As many steps in all as both phases of jdcl have; and as many for each of two networks.
study digits dgr_diffusion classifier.training.steps=240
study digits dgr_diffusion training.steps=480 classifier.training.steps=480
study digits finetune,joint learner=classifier classifier.training.steps=480
# The paper's ablations: one network or two, with and without teachers, two stages or one.
study digits jdcl joint.body=shared,cnn strategy.jdcl.distil=both,none strategy.jdcl.two_stage=true,false
study digits jdcl strategy.jdcl.distil=noise,classes
study digits jdcl strategy.jdcl.warm_up=0
study digits ddgr,guide
study digits gfr classifier.training.steps=480
study digits_few_labels jdcl
study digits_few_labels nncsl strategy.nncsl.memory_size=10,40
study digits_few_labels joint,finetune learner=classifier
study digits ewc,rank1_ewc,finetune,generative_distillation classifier.strategy=none
study digits conditional_generative_distillation
study self_training self_training strategy.self_training.distil=false,true
study self_training self_training joint.body=cnn
