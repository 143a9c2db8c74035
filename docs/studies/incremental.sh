#!/usr/bin/env bash
# Classes one after another (docs/results.md): incremental.sh RUNS [SEEDS of digits]
# The table of every run: python docs/studies/each_run.py docs/studies/incremental.csv RUNS/*
# What is in RUNS already is not run again. About a minute a run of digits, and a quarter of an hour to an hour of one of Tiny-ImageNet.
set -euo pipefail
runs=$1 seeds=${2:-0,1,2}

study() { # EXPERIMENT SEEDS STRATEGIES [KEY=VALUE]...
    local experiment=$1 chosen=$2 strategies=$3 sets=() each
    shift 3
    for each in "$@"; do sets+=(--set "$each"); done
    palimpsest study "$experiment" --seeds "$chosen" --strategies "$strategies" --jobs "${JOBS:-2}" --out "$runs/$experiment" "${sets[@]}"
}

digits() { study digits_incremental "$seeds" "$@"; }
tiny() { study tiny_imagenet_100_short 0 "$@"; }

digits joint,icarl,lucir,experience_replay,finetune,lwf
# What stands in for old pictures, and in which losses it counts (SDDR's ablation).
digits lucir synthetic.source=ideal,useless,memory
digits lucir synthetic.source=ideal synthetic.losses=classification,distillation
# The fewer are remembered, the more it is worth.
digits lucir strategy.lucir.per_class=1,10,20
digits lucir strategy.lucir.per_class=1,10,20 synthetic.source=ideal,memory
digits podnet,foster,der_expand
digits der_expand strategy.der_expand.balanced_epochs=0,400
# It is a source, so that it serves other classifiers as well.
digits icarl,experience_replay,lwf synthetic.source=ideal
digits icarl,experience_replay synthetic.source=memory

tiny finetune,icarl,lucir
tiny lucir synthetic.source=ideal,useless,memory
tiny lucir strategy.lucir.per_class=5
tiny lucir strategy.lucir.per_class=5 synthetic.source=ideal
tiny joint
