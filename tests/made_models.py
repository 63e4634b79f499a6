"""Models in the formats of the public ones, random and as small as they can be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch

from pedbench.models.manifest import ASSETS
from tools.studies.sam_programs import save_for_transformers


def make_autoencoder(folder: Path, side: int = 320, patch: int = 16, **changes: object) -> Path:
    """A ViTMAE."""
    from transformers import ViTMAEConfig, ViTMAEForPreTraining

    torch.manual_seed(0)
    sizes = {"hidden_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    decoder = {f"decoder_{name}": value for name, value in sizes.items()}
    config = ViTMAEConfig(image_size=side, patch_size=patch, **sizes, **decoder, **changes)
    network = ViTMAEForPreTraining(config)
    for values in network.parameters():
        if values.ndim > 1:
            torch.nn.init.normal_(values, std=0.2)
    network.save_pretrained(folder)
    return folder


def make_inpaint_mini(folder: Path, guesser: str = "") -> Path:
    """A pipeline of the mini family that paints at 64 px."""
    from diffusers import UNet2DModel

    from pedbench.models.attackers.inpaint_mini import InpaintMini, build_inpaint_mini

    torch.manual_seed(0)
    unet = UNet2DModel(
        sample_size=64,
        in_channels=40,
        out_channels=12,
        layers_per_block=1,
        block_out_channels=(8, 8),
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=4,
        attention_head_dim=4,
    )
    InpaintMini(unet, build_inpaint_mini().scheduler, guesser).save_pretrained(folder)
    return folder


def make_inpainting(folder: Path, variant: str | None = None) -> Path:
    """A Stable Diffusion pipeline for inpainting with all its parts."""
    from diffusers import (
        AutoencoderKL,
        PNDMScheduler,
        StableDiffusionInpaintPipeline,
        UNet2DConditionModel,
    )
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    letters = [*"abcdefghijklmnopqrstuvwxyz"]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    vocabulary, merges = folder.with_suffix(".vocab.json"), folder.with_suffix(".merges.txt")
    vocabulary.write_text(json.dumps({word: index for index, word in enumerate(words)}))
    merges.write_text("#version: 0.2\n")
    tokenizer = CLIPTokenizer(vocab=str(vocabulary), merges=str(merges), model_max_length=77)
    text = CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=77,
        bos_token_id=len(words) - 2,
        eos_token_id=len(words) - 1,
    )
    pipeline = StableDiffusionInpaintPipeline(
        vae=AutoencoderKL(
            block_out_channels=(8, 8),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            latent_channels=4,
            norm_num_groups=4,
        ),
        text_encoder=CLIPTextModel(text),
        tokenizer=tokenizer,
        unet=UNet2DConditionModel(
            sample_size=32,
            in_channels=9,
            out_channels=4,
            block_out_channels=(8, 16),
            layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=16,
            attention_head_dim=4,
            norm_num_groups=4,
        ),
        scheduler=PNDMScheduler(skip_prk_steps=True, steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    if variant == "fp16":
        pipeline = pipeline.to(dtype=torch.float16)
    pipeline.save_pretrained(folder, variant=variant)
    vocabulary.unlink()
    merges.unlink()
    return folder


def make_detector(folder: Path) -> Path:
    """The mini family's detector with COCO's categories, as PASCAL VOC calls some of them."""
    shutil.copytree(ASSETS / "objects-mini", folder)
    config = json.loads((folder / "config.json").read_text())
    names = dict(zip(config["id2label"], ("person", "sofa", "tvmonitor", "aeroplane"), strict=False))
    config["id2label"] = {**config["id2label"], **names}
    config["label2id"] = {name: int(place) for place, name in config["id2label"].items()}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def make_sam(file: Path, name: str, seed: int = 0) -> Path:
    """A SAM of an architecture at random, in the official format or, of a `.safetensors`, in transformers'."""
    from pedbench.models.sam.architectures import architecture
    from pedbench.models.sam.assembly import build_sam, random_tensors
    from pedbench.models.sam.checkpoints import write_tensors

    sizes = architecture(name)
    tensors = dict(random_tensors(build_sam(sizes, allocate=False).state_dict(), seed))
    if file.suffix == ".safetensors":
        save_for_transformers(tensors, sizes, file.parent)
        return (file.parent / "model.safetensors").rename(file)
    write_tensors(tensors, file)
    return file


def make_trunk(file: Path) -> Path:
    """torchvision's AlexNet at random."""
    from torchvision.models import alexnet

    torch.manual_seed(0)
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.save(alexnet(weights=None).state_dict(), file)
    return file
