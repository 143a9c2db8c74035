"""Every wrong request is one sentence and exit code 2, and nothing is written."""

import pytest
import torch

BAD = [
    ("train digitz", 'unknown experiment "digitz". Did you mean "digits"?'),
    ("train --strategy jdcl --distil all", 'unknown distil of jdcl "all". Legal: both, classes, noise, none'),
    ("train --strategy jdcl --temperature 0", "the temperature of soft opinions is 0"),
    (
        "train --strategy ewc --beside jdcl",
        'ewc cannot be added to "jdcl"; legal for beside: conditional_generative_distillation',
    ),
    ("train --strategy ewc --fisher-samples 0", "fisher_samples is 0, and importance is measured on 1 picture or more"),
    ("train --strategy ddgr --guidance -1", "option guidance of strategy ddgr is a number from 0, and was given -1"),
    ('train --set augmentation.logits=["flap"]', 'unknown augmentation "flap"'),
    (
        'train --set augmentation.logits=["cutout"]',
        'the augmentation "cutout" cannot be read; write "cutout SIZE"; size, a whole number',
    ),
    ('train --set augmentation.picture=["flip"]', "augmentation"),
    ("train --strategy generatve_replay", 'Did you mean "generative_replay"?'),
    ("train --set training.stepz=3", 'Did you mean "training.steps"?'),
    ("train --set trainin.steps=3", 'Did you mean "training"?'),
    ("train --set training.steps", "--set takes key=value"),
    ("train --set training.batch=0", "training.batch: input should be greater than or equal to 1 (found 0)"),
    ("train --set training.batch=1000000000", "training.batch is 1,000,000,000, and the denoiser holds 0.5 MB of"),
    (
        "train --set classifier.training.batch=10000000000",
        "classifier.training.batch is 10,000,000,000, and the classifier",
    ),
    ("train --set training.epochs=3", "give either steps or epochs"),
    ("train --set training.teacher_weights=average", "needs an average"),
    ("train --set stream.tasks=11", "11 tasks were asked for, and there are 10 classes"),
    ("train --set stream.tasks=[[0],[]]", "task 2 has no classes"),
    ("train --set stream.name=fashion_mnst", 'unknown data set "fashion_mnst"'),
    (
        "train --set denoiser.block_out_channels=[8,8,8,8,8] --set denoiser.down_block_types=[]",
        "cannot be halved 4 times",
    ),
    ("train --set denoiser.norm_num_groups=7", "does not divide the width"),
    ("train --set denoiser.down_block_types=['DownBlok2D','DownBlock2D']", 'Did you mean "DownBlock2D"?'),
    ("train --teacher-steps 0", "0 sampling steps were asked"),
    ("train --strength -1", "option strength of strategy generative_distillation is a number from 0, and was given -1"),
    ("train --strategy jdcl --warm-up 2", "warm_up is 2, and it is a share of the global phase, from 0 to less than 1"),
    ("train --strength nan", 'is of kind float, and was given "nan"'),
    ("train --set training.learning_rate=inf", "finite number"),
    ("train --set learner=foo", 'unknown learner "foo"'),
    ("train --device gpu", "'auto', 'cpu', 'cuda' or 'mps'"),
    ("train --strategy finetune --strength 1", "strategy finetune has no options of its own"),
    ("train --jobs 2", "no such option: --jobs (strategy generative_distillation has --teacher-steps"),
    ("study --strategies= --out study", "--strategies names none"),
    ("train --teacher-steps 1001", "1001 sampling steps were asked"),
    ("train --teacher-sampler ddmi", 'unknown sampler "ddmi"'),
    ("train --device cuda", 'device "cuda" was asked for'),
    (
        "train --set learner=oracle --strategy finetune",
        'unknown learner "oracle". Legal: boosted_classifier, classifier, conditional_denoiser, cosine_classifier, denoiser, '
        "expanding_classifier, feature_gan, joint, proxy_classifier",
    ),
    ("train --set classifier.strategy=lfw", 'unknown strategy "lfw". Did you mean "lwf"'),
    ("train --set evaluation.extractor=inceptoin", 'unknown extractor "inceptoin"'),
    ("train --set evaluation.evaluator.kind=resnet", "'small_cnn' or 'resnet18'"),
    ("study --strategies lucir,finetune --set synthetic.source=none,memory --out study", "and strategy finetune keeps none"),
    ("study --strategies finetune,jiont --out study", 'unknown strategy "jiont". Did you mean "joint"'),
    ("study --seeds 0,one --out study", 'integers from 0 with commas between them, and was given "one"'),
    ("evaluate nowhere", 'there is no "nowhere"'),
    ("report nowhere", 'there is no "nowhere"'),
    ("report nowhere elsewhere", "a page about 2 runs needs a place; give --out"),
    ("compare nowhere --latex", 'there is no "nowhere"'),
    ("train --set evaluation.sampler=dpm", "unknown sampler"),
    ("train --set strategy.lwf.strenth=2", 'unknown option of strategy lwf "strenth". Did you mean "strength"?'),
    ("train --strategy experience_replay --memory-size -1", "option memory_size of strategy experience_replay is a number from 0"),
    ("train --set strategy=lwf", '"strategy" is a table and was given "lwf"'),
    ("train --set strategy.lwf=3", "the options of strategy lwf are a table"),
    ("train --set strategy.experience_replay.memory_size=inf", "is of kind int"),
    ("train --strategy generatve_replay --teacher-steps 3", 'Did you mean "generative_replay"?'),
    ("train --seed 99999999999999999999999", "seed"),
    ("train --seed -1", "seed"),
    ("train --out /proc/nowhere", "nothing can be written to /proc/nowhere"),
    ("train --out /etc/passwd", "is a file, and a run is a directory"),
    ("train --out /etc/passwd/run", "nothing can be written to /etc/passwd/run (/etc/passwd is a file)"),
    ("study --strategies finetune --out /etc/passwd/study", "nothing can be written to /etc/passwd/study"),
    ("sample nowhere --out /etc/passwd/a.png", "nothing can be written to /etc/passwd/a.png"),
    (f"train --out {'long' * 100}", "File name too long); choose another place"),
    (f"study --strategies finetune --out {'long' * 100}", "File name too long); choose another place"),
    (f"sample nowhere --out {'long' * 100}/", "File name too long); choose another place"),
    ("resume nowhere", 'there is no "nowhere"'),
    ("sample nowhere --out a.png", 'there is no "nowhere"'),
    ("compare nowhere", 'there is no "nowhere"'),
    ("list strategis", 'Did you mean "strategies"?'),
    ("update nowhere --data . --out new", "nowhere; give a pixel pipeline of diffusers"),
    ("update nowhere --data none --out new", "--data none is not a folder"),
]


@pytest.mark.parametrize(("request_", "sentence"), BAD, ids=[request for request, _ in BAD])
def test_a_wrong_request_is_one_sentence_and_writes_nothing(request_, sentence, run, tmp_path, monkeypatch):
    monkeypatch.delenv("PALIMPSEST_DATA", raising=False)
    if torch.cuda.is_available() and "cuda" in request_:
        pytest.skip("there is a GPU here")
    code, out, error = run(*request_.split())
    assert code == 2, error
    assert sentence in error
    assert len(error.strip().splitlines()) == 1 and "Traceback" not in error
    assert list(tmp_path.iterdir()) == []
