"""The final models of runs, measured again under other samplers: a short one alone misleads.

python benchmarks/samplers.py RUN... [--steps 10 25 50] [--count 1500]
"""

import argparse

import palimpsest
from palimpsest.evaluation.evaluator_cache import load_evaluator
from palimpsest.evaluation.measures import References, measure_generation
from palimpsest.runs.config import resolve
from palimpsest.runs.folder import open_folder
from palimpsest.runs.measuring import reference_of
from palimpsest.runs.tables import read_experiment
from palimpsest.streams.open import open_stream


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--steps", type=int, nargs="+", default=[10, 25, 50])
    parser.add_argument("--count", type=int, default=1500)
    asked = parser.parse_args()
    references = References()
    for run in asked.runs:
        experiment = resolve(read_experiment(open_folder(run).config))
        stream = open_stream(experiment.stream, experiment.seed, "cpu")
        evaluator = load_evaluator(stream, experiment.evaluation.evaluator)
        reference = reference_of(stream, stream.tasks[-1], experiment.evaluation)
        for steps in asked.steps:
            samples = palimpsest.sample(run, count=asked.count, steps=steps, device="cpu")
            measures, _ = measure_generation(samples, reference, evaluator, len(stream.class_names), references)
            print(f"{run}  DDIM-{steps}", *(f"{name} {value:.3f}" for name, value in measures.items()), flush=True)


if __name__ == "__main__":
    main()
