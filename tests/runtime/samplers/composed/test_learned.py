"""Scorers of one's own: TorchScript and ONNX files, and every way in which a file is none."""

import base64

import numpy as np
import pytest
import torch

from pitwall_crds.variant.variant import SamplerSpec
from pitwall_runtime.errors import SamplerFailedError
from pitwall_runtime.samplers.catalogue import build
from pitwall_runtime.samplers.offline import offline_context

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")

SCORES = np.random.default_rng(0).uniform(size=50).astype(np.float32)
ROWS = np.eye(50, dtype=np.float32)
NEGATED = (  # an ONNX model with one node: ratings [n] = -relevance [n]; its other input is embeddings [n, d]
    "CAg6cAoZCglyZWxldmFuY2USB3JhdGluZ3MiA05lZxIBZ1oeCgplbWJlZGRpbmdzEhAKDggBEgoKAxIBbgoDEgFkWhgKCXJlbGV2YW5jZRILCgkI"
    "ARIFCgMSAW5iFgoHcmF0aW5ncxILCgkIARIFCgMSAW5CBAoAEA0="
)


class DirectionHead(torch.nn.Module):
    """Likes frames by a direction of the embedding."""

    def __init__(self, weights):
        super().__init__()
        self.weights = torch.nn.Parameter(torch.tensor(weights))

    def forward(self, embeddings, relevance):
        return embeddings @ self.weights + 0.0 * relevance


def saved(module, path):
    torch.jit.script(module).save(str(path))
    return path


def choose(path, chooser="topk"):
    spec = SamplerSpec(name="learned", parameters={"path": str(path), "chooser": chooser})
    return build(spec).choose(offline_context(SCORES, 3, embeddings=ROWS)).indices


def test_a_torch_script_file_rates(tmp_path):
    liked = np.zeros(50, np.float32)
    liked[[5, 17, 40]] = 1.0
    path = saved(DirectionHead(liked), tmp_path / "head.pt")

    assert choose(path) == (5, 17, 40)
    assert len(choose(path, "quota")) == 3


def test_a_file_that_changes_is_loaded_anew(tmp_path):
    path = tmp_path / "head.pt"
    first = choose(saved(DirectionHead(np.eye(1, 50, 5, dtype=np.float32)[0]), path))
    saved(DirectionHead(np.eye(1, 50, 30, dtype=np.float32)[0]), path)

    assert 5 in first
    assert 30 in choose(path)


def test_an_onnx_file_rates(tmp_path):
    pytest.importorskip("onnxruntime")
    path = tmp_path / "head.onnx"
    path.write_bytes(base64.b64decode(NEGATED))

    assert choose(path) == tuple(sorted(np.argsort(SCORES, kind="stable")[:3].tolist()))


def test_without_a_file_relevance_rates():
    assert choose("") == tuple(sorted(np.argsort(-SCORES, kind="stable")[:3].tolist()))


class SummingHead(torch.nn.Module):
    def forward(self, embeddings, relevance):
        return relevance.sum().reshape(1)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        pytest.param("none.pt", None, "there is no scorer at", id="no file"),
        pytest.param("head.pt", b"not a model", "is no TorchScript file", id="no TorchScript"),
        pytest.param("head.onnx", b"not a model", "head.onnx", id="no ONNX"),
        pytest.param("head.bin", b"x", "is neither .pt (TorchScript) nor .onnx", id="another suffix"),
        pytest.param("sum.pt", SummingHead(), "gave 1 ratings for 50 frames", id="one number for all"),
    ],
)
def test_a_file_that_is_no_scorer_is_told(tmp_path, name, content, words):
    path = tmp_path / name
    if isinstance(content, torch.nn.Module):
        saved(content, path)
    elif content is not None:
        path.write_bytes(content)

    with pytest.raises(SamplerFailedError) as refusal:
        choose(path)
    assert words in refusal.value.message
