"""Procedural egocentric scenes: desks and rooms with overlapping objects, legible words and faces.

Pure functions of (seed, index, split); nothing is downloaded, torch is not imported.
"""

from pedbench.scenes.render import Scene, SceneObject, SceneSecret, render
from pedbench.scenes.staging.furnish import CATEGORIES
from pedbench.scenes.store import REVISION, SPLIT_SEEDS, write_split

class_names: tuple[str, ...] = CATEGORIES
"""The objects' categories, sorted."""

__all__ = [
    "REVISION",
    "SPLIT_SEEDS",
    "Scene",
    "SceneObject",
    "SceneSecret",
    "class_names",
    "render",
    "write_split",
]
