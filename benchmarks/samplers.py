"""The final models of runs, measured again under other samplers: a short one alone misleads.

`python benchmarks/samplers.py RUN... [--steps 10 25 50] [--count 1500]`; `palimpsest evaluate RUN --steps 25` measures all of a
run's models, from the noise of the run itself.
"""

import argparse

import torch

import palimpsest
from palimpsest.evaluation.described import describe_samples
from palimpsest.evaluation.measures import measure_generation
from palimpsest.measuring.yardstick import make_yardstick
from palimpsest.runs.config import resolve
from palimpsest.runs.folder import open_folder
from palimpsest.runs.tables import read_experiment
from palimpsest.streams.open import open_stream


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--steps", type=int, nargs="+", default=[10, 25, 50])
    parser.add_argument("--count", type=int, default=1500)
    asked = parser.parse_args()
    for run in asked.runs:
        experiment = resolve(read_experiment(open_folder(run).config))
        stream = open_stream(experiment.stream, experiment.seed, "cpu")
        flip = experiment.stream.flip
        yardstick = make_yardstick(stream, experiment.evaluation, flip, torch.device("cpu"), print)
        for steps in asked.steps:
            samples = palimpsest.sample(run, count=asked.count, steps=steps, device="cpu")
            made = describe_samples(samples, yardstick.evaluator, yardstick.extractor)
            measures, _ = measure_generation(made, yardstick.reference(stream.tasks[-1]), len(stream.class_names))
            print(f"{run}  DDIM-{steps}", *(f"{name} {value:.3f}" for name, value in measures.items()), flush=True)


if __name__ == "__main__":
    main()
