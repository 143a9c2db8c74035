"""Makes the evaluator that ships with the package:

    python -m palimpsest.evaluation.make_digits_evaluator --out src/palimpsest/evaluation

On one machine, running it again gives the same bytes.
"""

import argparse
from pathlib import Path

from palimpsest.evaluation.evaluator_cache import SHIPPED, write
from palimpsest.evaluation.evaluator_training import train_evaluator
from palimpsest.evaluation.options import EvaluatorOptions
from palimpsest.streams.open import open_stream
from palimpsest.streams.options import StreamOptions


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the evaluator of the digits stream and write its two files.")
    parser.add_argument("--out", type=Path, required=True, help="the folder that the two files go to")
    out = parser.parse_args().out
    stream, options = open_stream(StreamOptions(name="digits"), 0, "cpu"), EvaluatorOptions()
    evaluator = train_evaluator(stream.train, stream.test, len(stream.class_names), options)
    write(evaluator, stream, options, out, SHIPPED)
    print(f"{out / SHIPPED}.safetensors: test accuracy {evaluator.accuracy:.2%}, sha256 {evaluator.sha256}")


if __name__ == "__main__":
    main()
