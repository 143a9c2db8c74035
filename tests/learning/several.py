"""All experiments in a folder, one after another, in as many processes as torchrun has started; each into a folder of its name."""

import sys
from pathlib import Path

import palimpsest
from tests.tiny import QUIET

if __name__ == "__main__":
    for experiment in sorted(Path(sys.argv[1]).glob("*.toml")):
        palimpsest.train(experiment, out=experiment.with_suffix(""), display=QUIET)
