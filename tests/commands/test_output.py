"""What stands below the tables of runs."""

from palimpsest.commands.output import in_all_runs
from tests.reports.fake_runs import a_run

BATCH = "[training]\nbatch = {}\n[classifier]\nstrategy = \"none\"\n"


def with_settings(folder, seed, batch):
    run = a_run(folder, seed=seed)
    (run / "config.toml").write_text((run / "config.toml").read_text() + BATCH.format(batch))
    return run


def test_settings_that_all_runs_share_and_the_experiment_has_otherwise_are_said_once(tmp_path):
    """`stream.tasks` is the experiment's own."""
    runs = [with_settings(tmp_path, seed, 7) for seed in (0, 1)]
    assert in_all_runs(runs) == ("all runs have training.batch=7, classifier.strategy=none",)
    runs.append(with_settings(tmp_path, 2, 8))
    assert in_all_runs(runs) == ("all runs have classifier.strategy=none",)


def test_nothing_is_said_of_an_unknown_experiment_or_of_what_cannot_be_read(tmp_path):
    runs = [with_settings(tmp_path, seed, 7) for seed in (0, 1)]
    assert in_all_runs(runs[:1]) == ("the run has training.batch=7, classifier.strategy=none",)
    assert in_all_runs([*runs, tmp_path]) == ()
    mine = [a_run(tmp_path, seed=seed, experiment="mine") for seed in (3, 4)]
    assert in_all_runs(mine) == ()
