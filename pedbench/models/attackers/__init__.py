"""Networks of attackers: ViTMAE, inpainting, restoration, sharpening."""
