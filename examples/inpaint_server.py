"""A server of one's own for `hosted_inpaint(provider="form")`: an inpainting pipeline of diffusers behind one form.

    python -m pip install diffusers transformers
    python examples/inpaint_server.py stable-diffusion-v1-5/stable-diffusion-inpainting

It listens on this machine alone and asks for no key: reach it from another one through an SSH tunnel. A server that
hands picture and mask to ComfyUI has the same shape, with another `paint`.
"""

from __future__ import annotations

import email
import email.policy
import io
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer

from PIL import Image

Paint = Callable[[Image.Image, Image.Image, str, int], Image.Image]
"""From picture, mask (white where to paint), prompt and seed to the painted picture."""


def make_server(paint: Paint, port: int) -> HTTPServer:
    """Return a server that answers forms with PNG."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            head = f"Content-Type: {self.headers['Content-Type']}\n\n".encode()
            body = self.rfile.read(int(self.headers["Content-Length"]))
            message = email.message_from_bytes(head + body, policy=email.policy.HTTP)
            parts = {part.get_param("name", header="content-disposition"): part for part in message.walk()}
            files = {name: part.get_payload(decode=True) for name, part in parts.items() if name}
            image, mask = (Image.open(io.BytesIO(files[name])) for name in ("image", "mask"))
            painted = paint(image, mask, files["prompt"].decode(), int(files["seed"]))
            self.send_response(200)
            self.send_header("Content-Type", "image/png")
            self.end_headers()
            painted.save(self.wfile, "PNG")

    return HTTPServer(("127.0.0.1", port), Handler)


def diffusion(model: str) -> Paint:
    """Return what paints with a pipeline of diffusers."""
    import torch
    from diffusers import AutoPipelineForInpainting

    pipeline = AutoPipelineForInpainting.from_pretrained(model)
    pipeline.to("cuda" if torch.cuda.is_available() else "cpu")

    def paint(image: Image.Image, mask: Image.Image, prompt: str, seed: int) -> Image.Image:
        noise = torch.Generator().manual_seed(seed)
        size = {"height": image.height, "width": image.width}
        return pipeline(prompt=prompt, image=image, mask_image=mask, generator=noise, **size).images[0]

    return paint


if __name__ == "__main__":
    make_server(diffusion(sys.argv[1]), 8188).serve_forever()
