"""The published rows: numbers as the paper prints them, and each an experiment that can be run."""

import tomllib
from math import ceil

import pytest
import torch

from palimpsest.core.errors import RequestError
from palimpsest.core.tables import flat
from palimpsest.models.joint import feature_width
from palimpsest.models.unet import build_unet, parameter_count
from palimpsest.runs.config import resolve, to_toml
from palimpsest.runs.tables import read_experiment
from palimpsest.studies.grid import plan, published_methods, published_of

EXPERIMENTS = ["fashion_mnist", "cifar10"]

# arXiv 2311.14028, tables B.4, B.5, B.2 and B.3: experiment, strategy, option, then FID, KLD and ACC as (mean, error). The
# error of joint's accuracy on CIFAR-10 is that of table 2; B.5 prints 0.00.
PRINTED = [
    ("fashion_mnist", "joint", {}, (15.49, 1.3), (0.08, 0.02), (0.92, 0.0)),
    ("fashion_mnist", "finetune", {}, (68.76, 7.0), (4.82, 1.42), (0.17, 0.03)),
    ("fashion_mnist", "gaussian_distillation", {"strength": 8.0}, (38.87, 2.23), (0.85, 0.05), (0.63, 0.04)),
    ("fashion_mnist", "lwf", {"strength": 1.25}, (65.01, 3.31), (0.37, 0.09), (0.35, 0.01)),
    ("fashion_mnist", "generative_replay", {"teacher_steps": 2}, (211.79, 6.92), (3.39, 0.3), (0.5, 0.04)),
    ("fashion_mnist", "generative_distillation", {"teacher_steps": 2}, (23.53, 1.06), (0.25, 0.1), (0.72, 0.03)),
    ("fashion_mnist", "generative_replay", {"teacher_steps": 10}, (121.42, 13.04), (0.98, 0.19), (0.58, 0.04)),
    ("fashion_mnist", "generative_distillation", {"teacher_steps": 10}, (20.29, 3.07), (0.13, 0.04), (0.79, 0.01)),
    ("fashion_mnist", "generative_replay", {"teacher_steps": 100}, (57.54, 8.61), (0.61, 0.21), (0.66, 0.02)),
    ("fashion_mnist", "generative_distillation", {"teacher_steps": 100}, (23.69, 3.42), (0.12, 0.04), (0.8, 0.01)),
    ("fashion_mnist", "experience_replay", {"memory_size": 10}, (56.2, 1.1), (0.72, 0.09), (0.6, 0.02)),
    ("fashion_mnist", "experience_replay", {"memory_size": 100}, (33.3, 2.9), (0.33, 0.04), (0.79, 0.01)),
    ("fashion_mnist", "experience_replay", {"memory_size": 1000}, (21.6, 0.9), (0.28, 0.01), (0.76, 0.03)),
    ("cifar10", "joint", {}, (31.88, 2.89), (0.12, 0.02), (0.77, 0.03)),
    ("cifar10", "finetune", {}, (55.77, 2.56), (1.14, 0.1), (0.19, 0.0)),
    ("cifar10", "gaussian_distillation", {"strength": 8.0}, (51.35, 2.95), (0.75, 0.05), (0.3, 0.0)),
    ("cifar10", "lwf", {"strength": 1.25}, (62.09, 2.49), (0.49, 0.09), (0.23, 0.02)),
    ("cifar10", "generative_replay", {"teacher_steps": 2}, (166.69, 15.95), (1.45, 0.45), (0.27, 0.02)),
    ("cifar10", "generative_distillation", {"teacher_steps": 2}, (48.82, 2.51), (0.69, 0.02), (0.33, 0.02)),
    ("cifar10", "generative_replay", {"teacher_steps": 10}, (96.39, 5.25), (0.74, 0.14), (0.26, 0.01)),
    ("cifar10", "generative_distillation", {"teacher_steps": 10}, (42.34, 4.74), (0.15, 0.01), (0.31, 0.03)),
    ("cifar10", "generative_replay", {"teacher_steps": 100}, (66.47, 7.39), (0.43, 0.07), (0.28, 0.02)),
    ("cifar10", "generative_distillation", {"teacher_steps": 100}, (30.53, 1.29), (0.27, 0.05), (0.35, 0.03)),
    ("cifar10", "experience_replay", {"memory_size": 10}, (62.0, 4.9), (0.48, 0.05), (0.12, 0.01)),
    ("cifar10", "experience_replay", {"memory_size": 100}, (42.3, 0.9), (0.25, 0.03), (0.12, 0.01)),
    ("cifar10", "experience_replay", {"memory_size": 1000}, (49.6, 5.4), (0.48, 0.05), (0.13, 0.01)),
]


@pytest.mark.parametrize(("name", "strategy", "options", "fid", "kld", "accuracy"), PRINTED)
def test_rows_hold_what_the_paper_prints(name, strategy, options, fid, kld, accuracy):
    rows = resolve(read_experiment(name)).published
    (row,) = (row for row in rows if row.strategy == strategy and options.items() <= row.options.items())
    assert (row.fid, row.kld, row.accuracy) == (fid, kld, accuracy)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_row_is_a_run_of_its_own_with_each_of_the_papers_seeds(name):
    tables = read_experiment(name)
    experiment = resolve(tables)
    assert experiment.seeds == (42, 69, 1714)
    planned = plan(tables, published_methods(experiment, (), {}), experiment.seeds)
    assert len(planned) == 3 * 13 == 3 * len(experiment.published)
    for row, run in zip(experiment.published, planned, strict=False):
        assert run.strategy == row.strategy and row.options.items() <= run.experiment.options.items()


def test_the_papers_main_rows_are_the_experiments_defaults():
    names = [run.name for run in plan(*published("cifar10"), (42,))]
    assert {"generative_distillation-seed42", "generative_replay-teacher_steps2-seed42"} <= set(names)
    assert "generative_replay-seed42" in [run.name for run in plan(*published("fashion_mnist"), (42,))]


def published(name: str, *strategies: str) -> tuple:
    tables = read_experiment(name)
    return tables, published_methods(resolve(tables), strategies, {})


def test_some_strategies_alone_can_be_asked_for():
    assert len(published("fashion_mnist", "generative_replay", "lwf")[1]) == 4
    with pytest.raises(
        RequestError, match="no published row of fashion_mnist has the strategy dark_replay; legal: joint"
    ):
        published("fashion_mnist", "dark_replay")
    with pytest.raises(RequestError, match="say themselves"):
        published_methods(resolve(read_experiment("cifar10")), (), {"strategy.lwf.strength": [1.0]})


def test_a_rows_options_are_completed_for_the_comparison():
    rows = published_of(read_experiment("fashion_mnist"))["rows"]
    assert rows[3]["options"] == {"teacher_steps": 2, "teacher_sampler": "ddim", "strength": 0.75, "reuse": 1}
    with pytest.raises(RequestError, match="digits has no published rows"):
        published_of(read_experiment("digits"))


def test_a_run_does_not_carry_the_papers_numbers():
    tables = tomllib.loads(to_toml(resolve(read_experiment("cifar10"))))
    assert "seed" in tables and not {"published", "seeds"} & tables.keys()


def test_a_misspelt_row_is_one_sentence():
    tables = read_experiment("cifar10")
    tables["published"] = [{"tabel": "1", "strategy": "joint"}]
    with pytest.raises(RequestError, match="published"):
        resolve(tables)
    with pytest.raises(RequestError, match='unknown key "published.0.tabel". Did you mean "published.0.table"?'):
        resolve({**tables, "published": [{"table": "1", "strategy": "joint", "tabel": "1"}]})


JDCL = {  # accuracy, millions of parameters of the U-Net and of the head, steps of both phases, local_init
    "jdcl_cifar10": (0.8369, 52.54, 3.81, 50_000, 30_000, "scratch"),
    "jdcl_cifar10_few_labels": (0.7893, 52.54, 3.81, 100_000, 30_000, "scratch"),
    "jdcl_cifar100": (0.4795, 52.54, 3.90, 100_000, 70_000, "scratch"),
    "jdcl_cifar100_10": (0.2904, 52.54, 3.90, 100_000, 70_000, "scratch"),
    "jdcl_cifar100_few_labels": (0.2219, 52.54, 3.90, 100_000, 70_000, "scratch"),
    "jdcl_imagenet100": (0.5453, 114.00, 11.61, 90_000, 90_000, "global"),
}


@pytest.mark.parametrize("name", JDCL)
def test_joint_models_are_as_published(name):
    accuracy, body, head, local, whole, init = JDCL[name]
    experiment = resolve(read_experiment(name))
    (row,) = (row for row in experiment.published if row.strategy == "jdcl" and not (row.options or row.settings))
    assert row.accuracy == (accuracy,) and experiment.training.steps == local
    options = experiment.all_options_of("jdcl")
    assert (options["global_steps"], options["local_init"], options["alpha"]) == (whole, init, 0.001)
    assert round(options["warm_up"] * whole) == pytest.approx(10_000, abs=2)
    classes = [str(number) for number in range(10 if "cifar10_" in name + "_" and "100" not in name else 100)]
    size, channels = experiment.stream.size, experiment.stream.channels
    with torch.device("meta"):
        network = build_unet(experiment.denoiser, (channels, size, size))
        width = feature_width(network)
        found = (width + 1) * experiment.joint.head_width + (experiment.joint.head_width + 1) * len(classes)
    assert parameter_count(network) / 1e6 == pytest.approx(body, abs=0.005)
    assert found / 1e6 == pytest.approx(head, abs=0.005)
    assert ("few" in name) == bool(experiment.stream.labels) == ("strong" in experiment.augmentation)


OTHERS = {  # the other rows; of few labels those of 5 %, and nncsl's with 0.8 and 5 %
    "jdcl_cifar10": {
        "jdcl": (0.482, 0.684),
        "joint": (0.8641,),
        "guide": (0.6447,),
        "dgr_diffusion": (0.59,),
        "gfr": (0.267,),
    },
    "jdcl_cifar100": {"joint": (0.7307,), "guide": (0.4166,), "dgr_diffusion": (0.2825,), "gfr": (0.348,)},
    "jdcl_cifar100_10": {"joint": (0.6415,), "guide": (0.2613,), "dgr_diffusion": (0.159,), "gfr": (0.219,)},
    "jdcl_imagenet100": {"joint": (0.5059,), "guide": (0.3907,), "dgr_diffusion": (0.2392,), "gfr": (0.3295,)},
    "jdcl_cifar10_few_labels": {"jdcl": (0.7996,), "nncsl": (0.737, 0.793)},
    "jdcl_cifar100_few_labels": {"jdcl": (0.2639,), "nncsl": (0.275, 0.46)},
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_joint_models_are_compared_with_stands_beside_them(name):
    """Each row is a run of its own, which the row's settings find again by what the run writes down."""
    tables = read_experiment(name)
    experiment = resolve(tables)
    found: dict = {}
    for row in experiment.published[1:]:
        found[row.strategy] = (*found.get(row.strategy, ()), *row.accuracy)
    assert found == OTHERS[name]
    planned = plan(tables, published_methods(experiment, (), {}), experiment.seeds)
    for row, run in zip(published_of(tables)["rows"], planned, strict=True):
        written = dict(flat(tomllib.loads(to_toml(run.experiment))))
        assert row["settings"].items() <= written.items() and row["options"] == run.experiment.options


def test_rows_of_few_labels_have_the_settings_of_theirs():
    tables = read_experiment("jdcl_cifar10_few_labels")
    row = published_of(tables)["rows"][1]
    assert (row["settings"]["stream.labels"], row["settings"]["training.batch"]) == (250, 128)
    assert row["settings"]["augmentation.noise"] == ["flip", "resized_crop 0.64"]


# Dreams of a class for the generator; guidance, steps and refreshing of the classifier's; the classifier's rate, batch and steps;
# epochs of the feature generator (reference 2.1.6, 2.1.7, 2.4.4).
PEERS = {
    "jdcl_cifar10": (5000, (0.5, 50, 5), (0.01, 256, 2000), 501),
    "jdcl_cifar100": (500, (0.5, 100, 10), (0.05, 256, 2000), 501),
    "jdcl_cifar100_10": (500, (1.0, 100, 10), (0.05, 256, 2000), 501),
    "jdcl_imagenet100": (1300, (1.0, 50, 15), (0.001, 100, 20000), 201),
}


@pytest.mark.parametrize("name", PEERS)
def test_rows_of_peers_have_what_is_known_of_their_code(name):
    dreams, near, descent, epochs = PEERS[name]
    tables = read_experiment(name)
    experiment = resolve(tables)
    planned = plan(tables, published_methods(experiment, (), {}), experiment.seeds)
    runs = {run.experiment.strategy.name: run.experiment for run in planned}
    guide, plain, features = (runs[each] for each in ("guide", "dgr_diffusion", "gfr"))
    assert tuple(guide.options[option] for option in ("guidance", "guided_steps", "refresh")) == near
    assert guide.options["guided_sampler"] == "ddim"
    for each in (guide, plain):
        drawn = ("ddim", 250) if "imagenet" in name else ("ddpm", 1000)
        assert (each.options["teacher_sampler"], each.options["teacher_steps"]) == drawn
        assert each.options["per_class"] == dreams and each.training.teacher_weights == "average"
        training = each.classifier.training
        assert (training.optimizer, training.learning_rate, training.batch, training.steps) == ("sgd", *descent)
    gan = features.feature_gan.training
    assert (gan.epochs, gan.batch, gan.learning_rate, gan.betas, gan.decay) == (epochs, 128, 1e-4, (0.5, 0.999), 0.3)


@pytest.mark.parametrize(("name", "rate"), [("jdcl_cifar10_few_labels", 0.4), ("jdcl_cifar100_few_labels", 1.2)])
def test_nncsl_has_the_rate_of_its_code(name, rate):
    rows = [row for row in published_of(read_experiment(name))["rows"] if row["strategy"] == "nncsl"]
    assert [row["settings"]["classifier.training.learning_rate"] for row in rows] == [rate, rate]


# Tasks; average and last accuracy by synthetic pictures a class (0: 20 real ones); LUCIR as quoted; iCaRL with its forgetting; FOSTER.
INCREMENTAL = {
    "incremental_cifar100": (
        6,
        {0: (0.6337, 0.5391), 20: (0.5238, 0.3368), 100: (0.5454, 0.3656), 500: (0.5577, 0.3878)},
        [0.633],
        (0.5803, 0.3287),
        [0.7108, 0.7010],
        [0.6448, 0.6437],
    ),
    "incremental_cifar100_10": (
        11,
        {0: (0.6088, 0.5142), 20: (0.4279, 0.2183), 100: (0.4856, 0.2793), 500: (0.5219, 0.3258)},
        [0.6018],
        (0.5301, 0.3298),
        [0.6861, 0.6795],
        [0.6403, 0.6281],
    ),
    "incremental_cifar100_25": (26, {}, [], (0.4847, 0.3632), [0.6495, 0.6383], [0.6271, 0.5979]),
}


@pytest.mark.parametrize("name", INCREMENTAL)
def test_classifiers_are_as_published(name):
    tasks, memory, lucir, icarl, foster, podnet = INCREMENTAL[name]
    tables = read_experiment(name)
    experiment = resolve(tables)
    assert (experiment.stream.tasks, experiment.stream.base) == (tasks, 50)
    assert (experiment.stream.order, experiment.stream.order_seed) == ("numpy", 1993)
    how = experiment.classifier.training
    assert (how.epochs, how.batch, how.learning_rate, how.weight_decay) == (160, 128, 0.1, 5e-4)
    assert (how.momentum, how.milestones, how.decay, how.optimizer) == (0.9, (0.5, 0.75), 0.1, "sgd")
    rows = experiment.published
    found = {row.settings.get("synthetic.per_class", 0): row for row in rows if "memory content" in row.table}
    printed = {count: (row.average_incremental_accuracy[0], row.accuracy[0]) for count, row in found.items()}
    assert printed == memory
    assert [row.average_incremental_accuracy[0] for row in rows if "quoted" in row.table] == lucir
    (row,) = (row for row in rows if row.strategy == "icarl")
    assert (row.average_incremental_accuracy[0], row.base_forgetting[0]) == icarl
    assert [row.average_incremental_accuracy[0] for row in rows if row.strategy == "foster"] == foster
    assert [row.average_incremental_accuracy_nearest_mean[0] for row in rows if row.strategy == "podnet"] == podnet
    planned = plan(tables, published_methods(experiment, (), {}), experiment.seeds)
    assert len(planned) == 3 * (len(memory) + 4), "LUCIR with each memory, iCaRL, FOSTER, two of PODNet; each once, whoever prints it"
    pooled = [run.experiment for run in planned if run.experiment.synthetic.source == "recorded"]
    assert len(pooled) == 3 * max(len(memory) - 1, 0)
    assert all(run.synthetic.batch == "pooled" and run.options["per_class"] == 0 for run in pooled)


def test_rows_that_differ_in_settings_are_told_apart():
    rows = published_of(read_experiment("incremental_cifar100"))["rows"]
    assert [row["settings"]["synthetic.source"] for row in rows][:5] == ["none", *["recorded"] * 3, "none"]
    assert [row["settings"].get("synthetic.per_class") for row in rows][:4] == [None, 20, 100, 500]


@pytest.mark.parametrize(
    ("name", "base", "subset"), [("incremental_imagenet_subset", 50, 100), ("incremental_imagenet", 500, 0)]
)
def test_imagenet_is_as_published(name, base, subset):
    experiment = resolve(read_experiment(name))
    assert (experiment.stream.base, experiment.stream.subset, experiment.classifier.network) == (
        base,
        subset,
        "resnet18",
    )
    assert (experiment.options["strength"], experiment.classifier.training.epochs) == (10.0, 90)
    steps = 90 * ceil((650 if base == 500 else 65) * 1000 / experiment.classifier.training.batch)
    fall = [next(step for step in range(steps) if step / steps >= edge) for edge in experiment.classifier.training.milestones]
    assert fall == [steps // 3, 2 * steps // 3]
    assert experiment.options["balanced_epochs"] == (0 if subset else 20)


@pytest.mark.parametrize("name", [*INCREMENTAL, "incremental_imagenet_subset", "incremental_imagenet"])
def test_other_classifiers_have_the_published_options(name):
    """And, with the settings of its row, FOSTER the published schedule: 200 epochs, then 170 and 130 a step, along a cosine."""
    tables = read_experiment(name)
    options = {each: resolve(tables).all_options_of(each) for each in ("podnet", "foster", "der_expand")}
    podnet = {key: options["podnet"][key] for key in ("strength", "flat", "balanced_rate", "balanced_epochs")}
    large = "imagenet" in name
    assert podnet == {
        "strength": 8.0 if large else 3.0,
        "flat": 10.0 if large else 1.0,
        "balanced_rate": 0.2 if large else 0.5,
        "balanced_epochs": 20,
    }
    assert (options["foster"]["boosting_epochs"], options["foster"]["compression_epochs"]) == (170, 130)
    assert {each["per_class"] for each in options.values()} == {20}
    if not large:
        run, *nets = plan(tables, published_methods(resolve(tables), ("foster", "podnet"), {}), (0,))
        how = run.experiment.classifier.training
        assert run.experiment.options["beta"] == (0.95 if name.endswith("_25") else 0.94)
        of_nets = [[net.experiment.options[key] for key in ("strength", "balanced_rate")] for net in nets]
        assert of_nets == [[5.0, 0.5], [5.0, 0.05]], "of nearest means; PyCIL's fine-tuning is at 0.005"
        assert (how.epochs, how.schedule, how.learning_rate, how.weight_decay) == (200, "cosine", 0.1, 5e-4)
