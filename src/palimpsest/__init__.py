"""palimpsest teaches diffusion models new things without the old data, and proves what they kept.

    import palimpsest
    run = palimpsest.train("digits", strategy="generative_distillation", seed=0)
    run.results["final"]

The Python functions read like the commands: `train`, `resume`, `study`, `update`, `synthesize`, `sample`, `evaluate`, `estimate`; `classify`
and `score` ask a saved model about pictures. A new strategy is a function declared with `@palimpsest.strategy`. Everything heavy is imported when it is first used.
"""

from importlib import import_module

__version__ = "0.1.0"

_LAZY = {
    "train": "palimpsest.runs.start",
    "resume": "palimpsest.runs.start",
    "Run": "palimpsest.runs.start",
    "update": "palimpsest.runs.updating",
    "sample": "palimpsest.runs.sampling",
    "classify": "palimpsest.runs.asking",
    "score": "palimpsest.runs.asking",
    "synthesize": "palimpsest.runs.synthesizing",
    "estimate": "palimpsest.runs.estimate",
    "evaluate": "palimpsest.runs.evaluating",
    "study": "palimpsest.studies.study",
    "strategy": "palimpsest.strategies.declare",
    "RequestError": "palimpsest.core.errors",
    "RunError": "palimpsest.core.errors",
    "Term": "palimpsest.core.term",
    "Phase": "palimpsest.core.term",
    "Stream": "palimpsest.streams.stream",
    "Task": "palimpsest.streams.stream",
    "split_by_class": "palimpsest.streams.stream",
}
__all__ = ["__version__", *_LAZY]


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module 'palimpsest' has no attribute '{name}'")
    return getattr(import_module(_LAZY[name]), name)
