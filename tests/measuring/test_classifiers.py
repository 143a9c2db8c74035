"""Measures of several ways to predict by one classifier."""

import pytest
import torch

from palimpsest.evaluation.options import EvaluationOptions
from palimpsest.measuring.classifiers import measure_classifiers
from palimpsest.measuring.found import Found
from palimpsest.measuring.yardstick import Yardstick
from palimpsest.models.classifier import build_classifier
from palimpsest.models.options import ClassifierOptions
from palimpsest.models.predictors import nearest_mean
from palimpsest.streams.open import open_stream
from palimpsest.streams.options import StreamOptions
from palimpsest.streams.pictures import joined


def test_the_last_layer_and_the_nearest_mean_look_at_a_picture_once():
    stream = open_stream(StreamOptions(tasks=[[0, 1], [2]], limit=60), 0, "cpu")
    options = ClassifierOptions(network="resnet8", head="growing")
    classifier = build_classifier(options, stream.shape, stream.class_names, 0).eval()
    classifier.meet([0, 1, 2])
    near = nearest_mean(classifier, joined([task.train for task in stream.tasks]))
    test = joined([task.test for task in stream.tasks])
    x, y = test.take(torch.arange(len(test)))
    by_hand = {each.predicts: float((each.logits(x).argmax(1) == y).double().mean()) for each in (near, classifier)}
    assert by_hand["nearest_mean"] != by_hand["softmax"]
    classifier.passes, found = 0, Found()
    yardstick = Yardstick(stream, EvaluationOptions(samples=0), False)
    measure_classifiers(found, stream.tasks[1], [near, classifier], yardstick, torch.device("cpu"))
    assert classifier.passes == len(test)
    assert found.measures["accuracy_nearest_mean"] == pytest.approx(by_hand["nearest_mean"])
    assert found.measures["accuracy_softmax"] == pytest.approx(by_hand["softmax"])
    assert found.measures["accuracy"] == found.measures["accuracy_nearest_mean"]
