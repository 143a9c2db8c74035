"""Extractors: the evaluator's features, Inception-v3 (a stand-in for torch-fidelity's), and networks of the user's."""

import hashlib
import sys
from types import ModuleType

import pytest
import torch
from torch import nn

from palimpsest.core.errors import RequestError
from palimpsest.evaluation.evaluator import Evaluator, SmallCNN
from palimpsest.evaluation.extractors import BATCH, Extractor, fingerprint, load_extractor
from palimpsest.evaluation.inception import FILE


@pytest.fixture(scope="module")
def evaluator() -> Evaluator:
    return Evaluator(SmallCNN(1, 3, 5), "small_cnn-5", "ab" * 32, 0.9)


class StandIn(nn.Module):
    """What torch-fidelity's FeatureExtractorInceptionV3 is from outside: its arguments, its bytes, its tuple.

    torch-fidelity itself is not needed to run these tests; its constructor and forward pass are those of release 0.3.
    """

    def __init__(self, name, features_list, feature_extractor_weights_path=None):
        super().__init__()
        assert isinstance(name, str) and features_list == ["2048"]
        path = feature_extractor_weights_path
        if path is None:
            raise OSError("no route to host")
        self.weight = nn.Parameter(torch.load(path)["weight"], requires_grad=False)

    def forward(self, x):
        assert x.dtype == torch.uint8 and x.shape[1] == 3
        self.seen = x
        return (x.float().mean(dim=(2, 3)) @ self.weight,)


@pytest.fixture
def torch_fidelity(monkeypatch):
    module = ModuleType("torch_fidelity.feature_extractor_inceptionv3")
    module.FeatureExtractorInceptionV3 = StandIn
    monkeypatch.setitem(sys.modules, "torch_fidelity", ModuleType("torch_fidelity"))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


@pytest.fixture
def weights(tmp_path):
    torch.save({"weight": torch.rand(3, 2048)}, tmp_path / "inception.pth")
    return tmp_path / "inception.pth"


@pytest.fixture
def module_on_path(tmp_path, monkeypatch):
    """Writes a user's module; every test has one of its own name, for Python imports a name once."""

    def write(name: str, text: str) -> None:
        (tmp_path / f"{name}.py").write_text("import torch\nfrom torch import nn\n" + text)
        monkeypatch.delitem(sys.modules, name, raising=False)

    monkeypatch.syspath_prepend(tmp_path)
    return write


def test_the_default_is_the_evaluator_itself(evaluator):
    extractor, x = load_extractor("evaluator", evaluator), torch.rand(12, 1, 8, 8)
    assert torch.equal(extractor.features(x), evaluator.features(x)) and extractor.record == evaluator.record


def test_pictures_are_asked_about_in_batches_of_one_size_and_without_gradients():
    sizes = []

    class Mean(nn.Module):
        def forward(self, x):
            sizes.append(len(x))
            assert not self.training and torch.is_inference_mode_enabled()
            return x.double().mean(dim=(2, 3))

    x = torch.rand(2 * BATCH + 7, 3, 4, 4)
    features = Extractor(Mean(), "mean", "").features(x)
    assert sizes == [BATCH, BATCH, 7] and features.dtype == torch.float32
    torch.testing.assert_close(features, x.mean(dim=(2, 3)))


def test_inception_sees_the_bytes_of_real_pictures_and_gray_in_three_channels(torch_fidelity, weights, evaluator):
    extractor = load_extractor("inception", evaluator, str(weights))
    pixels = torch.arange(256).reshape(4, 1, 8, 8)
    features = extractor.features(pixels.float().div(255 / 2).sub(1))
    seen = extractor.module.network.seen
    assert torch.equal(seen, pixels.to(torch.uint8).expand(4, 3, 8, 8)) and features.shape == (4, 2048)
    extractor.features(torch.tensor([-1.7, 1.7]).reshape(2, 1, 1, 1))
    assert extractor.module.network.seen[:, 0].flatten().tolist() == [0, 255]
    assert extractor.record == {"name": "inception-v3", "sha256": hashlib.sha256(weights.read_bytes()).hexdigest()}


def test_inception_without_torch_fidelity_names_the_extra_and_the_file(monkeypatch, evaluator):
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    with pytest.raises(RequestError, match=r"pip install 'palimpsest\[fid\]'") as caught:
        load_extractor("inception", evaluator)
    assert FILE in str(caught.value) and "evaluation.extractor_weights" in str(caught.value)


def test_inception_whose_weights_cannot_be_had_names_the_file_and_its_place(torch_fidelity, monkeypatch, evaluator):
    monkeypatch.setenv("TORCH_HOME", "/somewhere")
    with pytest.raises(RequestError, match="no route to host") as caught:
        load_extractor("inception", evaluator)
    for part in (FILE, "/somewhere/hub/checkpoints", "evaluation.extractor_weights"):
        assert part in str(caught.value)


def test_a_weights_file_that_is_absent_or_no_weights_is_refused(torch_fidelity, tmp_path, evaluator):
    with pytest.raises(RequestError, match="which is no file"):
        load_extractor("inception", evaluator, str(tmp_path / "absent.pth"))
    (tmp_path / "text.pth").write_text("hello")
    with pytest.raises(RequestError, match="text.pth"):
        load_extractor("inception", evaluator, str(tmp_path / "text.pth"))


def test_weights_beside_another_extractor_are_refused(evaluator):
    with pytest.raises(RequestError, match="is for inception"):
        load_extractor("evaluator", evaluator, "inception.pth")


@pytest.mark.parametrize("attribute", ["network", "Network", "make"])
def test_a_network_of_the_users_is_found_by_its_name(attribute, module_on_path, evaluator):
    module_on_path(
        "my_features",
        "class Network(nn.Module):\n"
        "    def forward(self, x):\n"
        "        return x.mean(dim=(2, 3))\n"
        "network = Network()\n"
        "def make():\n"
        "    return network\n",
    )
    extractor = load_extractor(f"my_features:{attribute}", evaluator, shape=(3, 8, 8))
    x = torch.rand(5, 3, 8, 8)
    torch.testing.assert_close(extractor.features(x), x.mean(dim=(2, 3)))
    assert extractor.record["name"] == f"my_features:{attribute}" and len(extractor.sha256) == 64


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("evaluater", 'Did you mean "evaluator"'),
        ("no_such_module:network", "cannot be imported"),
        ("bad_features:absent", "cannot be imported.*absent"),
        ("bad_features:number", "is a int"),
        ("bad_features:picture", r"returned torch.float32 \(2, 1, 8, 8\)"),
        ("bad_features:integers", "returned torch.int64"),
        ("bad_features:several", "returned a tuple"),
        ("bad_features:colour", "failed on pictures"),
    ],
)
def test_what_is_no_extractor_is_refused_with_a_sentence(name, sentence, module_on_path, evaluator):
    module_on_path(
        "bad_features",
        "class Of(nn.Module):\n"
        "    def __init__(self, function):\n"
        "        super().__init__()\n"
        "        self.function = function\n"
        "    def forward(self, x):\n"
        "        return self.function(x)\n"
        "number = 3\n"
        "picture = Of(lambda x: x)\n"
        "integers = Of(lambda x: x.flatten(1).long())\n"
        "several = Of(lambda x: (x.flatten(1),))\n"
        "colour = nn.Conv2d(3, 4, 1)\n",
    )
    with pytest.raises(RequestError, match=sentence):
        load_extractor(name, evaluator, shape=(1, 8, 8))


def test_a_network_can_be_passed_in_from_python(evaluator):
    network, x = nn.Sequential(nn.Flatten(), nn.Linear(64, 4)), torch.rand(3, 1, 8, 8)
    extractor = load_extractor(network, evaluator)
    torch.testing.assert_close(extractor.features(x), network(x).detach())
    assert extractor.name == "Sequential"


def test_the_fingerprint_knows_weights_structure_and_code():
    torch.manual_seed(0)
    networks = [nn.Linear(3, 3), nn.Linear(3, 3), nn.Sequential(nn.Linear(3, 3)), nn.Flatten(), nn.Flatten(2)]
    tied = nn.Sequential(networks[0], networks[0])
    assert len({fingerprint(network) for network in (*networks, tied)}) == 6
    twin = nn.Linear(3, 3)
    twin.load_state_dict(networks[0].state_dict())
    assert fingerprint(twin) == fingerprint(networks[0])
