"""Models of transformers that say in words what is in a picture, from local folders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image

from pedbench.errors import CheckpointError
from pedbench.models.hub.folders import load_pretrained, model_folder, read_json
from pedbench.pictures.frame import to_uint8
from pedbench.types import Picture

_KIND = "captioner (a transformers model for image-text-to-text)"

LONGEST = 30
"""Tokens of a caption."""

REQUEST = "Describe this picture in one sentence."
"""To models that hold conversations, where no other prompt is given."""


@dataclass(frozen=True, kw_only=True)
class Captioner:
    """A network with what prepares its input and reads its output.

    Attributes:
        network: Of transformers' `AutoModelForImageTextToText`, in evaluation mode, its parameters frozen.
        processor: Its processor of pictures and text.
        device: Where it computes.
    """

    network: Any
    processor: Any
    device: str

    def __call__(self, picture: Picture, prompt: str) -> str:
        """The likeliest caption of a picture (H, W, 3), word by word, without the prompt."""
        inputs = self._inputs(Image.fromarray(to_uint8(picture)), prompt).to(self.device)
        with torch.inference_mode():
            (tokens,) = self.network.generate(
                **inputs, do_sample=False, num_beams=1, max_new_tokens=LONGEST
            ).tolist()
        given = inputs["input_ids"][0].tolist() if "input_ids" in inputs else []
        answer = tokens[len(given) :] if given and tokens[: len(given)] == given else tokens
        text: str = self.processor.decode(answer, skip_special_tokens=True).strip()
        # Some models change the prompt's first token, and repeat the rest.
        repeated = bool(prompt) and text.casefold().startswith(prompt.casefold())
        return text[len(prompt) :].strip() if repeated else text

    def _inputs(self, image: Image.Image, prompt: str) -> Any:
        if getattr(self.processor, "chat_template", None):
            content = [{"type": "image", "image": image}, {"type": "text", "text": prompt or REQUEST}]
            return self.processor.apply_chat_template(
                [{"role": "user", "content": content}],
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
            )
        return self.processor(images=image, return_tensors="pt", **({"text": prompt} if prompt else {}))


def load_captioner(model: str, device: str) -> Captioner:
    """Load a captioner with its processor; nothing is downloaded and no code of the model is run.

    Args:
        model: As `pretrained.model_reference` returns it.
        device: Where it computes.

    Raises:
        CheckpointError: There is no such model, or another one.
    """
    folder = model_folder(model, _KIND, "config.json")
    from transformers import AutoModelForImageTextToText, AutoProcessor
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

    kind = read_json(folder / "config.json").get("model_type")
    if kind not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES:
        raise CheckpointError(f"{folder}: found a model of type {kind!r}\nexpected a {_KIND}")
    network = load_pretrained(AutoModelForImageTextToText, folder, f"a {_KIND}")
    processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
    if not hasattr(processor, "image_processor"):
        raise CheckpointError(
            f"{folder}: found no processor of pictures and text\nexpected that of a {_KIND}"
        )
    return Captioner(network=network.to(device), processor=processor, device=device)
