"""Captioners from folders of `save_pretrained`: greedy decoding by hand, prompts, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pedbench.errors import CheckpointError
from pedbench.models.hub.captioning import LONGEST, load_captioner
from pedbench.types import Picture
from tests.conftest import SPECIAL, TRANSFORMER, WORDS, word_tokenizer


def git(folder: Path) -> None:
    from transformers import CLIPImageProcessor, GitConfig, GitForCausalLM, GitProcessor

    config = GitConfig(
        **TRANSFORMER,
        vision_config=TRANSFORMER | {"image_size": 32, "patch_size": 8},
        vocab_size=len(SPECIAL) + len(WORDS),
        bos_token_id=2,
        eos_token_id=3,
        pad_token_id=0,
        max_position_embeddings=64,
    )
    torch.manual_seed(2)
    GitForCausalLM(config).save_pretrained(folder)
    pictures = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    GitProcessor(image_processor=pictures, tokenizer=word_tokenizer()).save_pretrained(folder)


def llava(folder: Path) -> Any:
    """One that holds conversations."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit
    from transformers import (
        CLIPImageProcessor,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
        PreTrainedTokenizerFast,
    )

    words = ["[PAD]", "[UNK]", "</s>", "<image>", "USER", "ASSISTANT", *WORDS]
    plain = Tokenizer(WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    plain.pre_tokenizer = WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=plain,
        unk_token="[UNK]",
        pad_token="[PAD]",
        eos_token="</s>",
        additional_special_tokens=["<image>"],
    )
    config = LlavaConfig(
        vision_config=TRANSFORMER | {"model_type": "clip_vision_model", "image_size": 32, "patch_size": 8},
        text_config=TRANSFORMER | {"model_type": "llama", "vocab_size": len(words), "eos_token_id": 2},
        image_token_index=3,
        vision_feature_layer=-1,
        image_seq_length=16,
    )
    torch.manual_seed(5)
    network = LlavaForConditionalGeneration(config).eval()
    network.save_pretrained(folder)
    crop = {"height": 32, "width": 32}
    LlavaProcessor(
        image_processor=CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=crop),
        tokenizer=tokenizer,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=(
            "{% for message in messages %}{{ message['role'].upper() }} {% for part in message['content'] %}"
            "{{ '<image>' if part['type'] == 'image' else part['text'] }} {% endfor %}{% endfor %}"
            "{% if add_generation_prompt %}ASSISTANT{% endif %}"
        ),
    ).save_pretrained(folder)
    return network


@pytest.fixture(name="picture")
def _picture() -> Picture:
    return (np.random.default_rng(0).integers(0, 256, (48, 64, 3)) / 255).astype(np.float32)


def test_a_caption_is_the_likeliest_word_after_word(
    picture: Picture, tmp_path: Path, tiny_captioner: Any
) -> None:
    network = tiny_captioner(tmp_path)
    captioner = load_captioner(str(tmp_path), "cpu")
    pixels = captioner.processor(images=np.rint(picture * 255).astype(np.uint8), return_tensors="pt")
    tokens = [2]
    with torch.no_grad():
        seen = network.vision_model(pixel_values=pixels["pixel_values"])[0]
        while tokens[-1] != 3 and len(tokens) <= LONGEST:
            out = network.text_decoder(torch.tensor([tokens]), encoder_hidden_states=seen)
            tokens.append(int(out.logits[0, -1].argmax()))
    words = [[*SPECIAL, *WORDS][token] for token in tokens if token >= len(SPECIAL)]
    assert words
    assert captioner(picture, "") == " ".join(words)


@pytest.mark.parametrize("kind", ["blip", "git"])
def test_the_prompt_is_no_part_of_the_caption(
    kind: str, picture: Picture, tmp_path: Path, tiny_captioner: Any
) -> None:
    (tiny_captioner if kind == "blip" else git)(tmp_path)
    captioner = load_captioner(str(tmp_path), "cpu")
    prompted = captioner(picture, "a picture of")
    assert prompted
    assert not prompted.startswith("a picture of")
    assert prompted == captioner(picture, "a picture of")


def test_who_holds_conversations_is_asked_and_answers(picture: Picture, tmp_path: Path) -> None:
    network = llava(tmp_path)
    captioner = load_captioner(str(tmp_path), "cpu")
    pictures, tokenizer = captioner.processor.image_processor, captioner.processor.tokenizer
    pixels = pictures(images=np.rint(picture * 255).astype(np.uint8), return_tensors="pt")["pixel_values"]
    tokens = tokenizer.convert_tokens_to_ids(["USER", *["<image>"] * 16, "two", "blue", "ASSISTANT"])
    asked = len(tokens)
    with torch.no_grad():
        while tokens[-1] != 2 and len(tokens) < asked + LONGEST:
            logits = network(input_ids=torch.tensor([tokens]), pixel_values=pixels).logits
            tokens.append(int(logits[0, -1].argmax()))
    answer = tokenizer.decode(tokens[asked:], skip_special_tokens=True)
    assert captioner(picture, "two blue") == answer.strip()


def test_what_cannot_be_used_is_refused(tmp_path: Path, tiny_captioner: Any) -> None:
    with pytest.raises(CheckpointError, match=r"no captioner .*looked for .*nothing/config.json"):
        load_captioner(str(tmp_path / "nothing"), "cpu")
    with pytest.raises(CheckpointError, match="found a model of type 'vit_mae'"):
        load_captioner("mae-mini", "cpu")
    tiny_captioner(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"found no weights in \.safetensors files"):
        load_captioner(str(tmp_path), "cpu")
