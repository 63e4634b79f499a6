"""A plugin file whose attack runs given statements."""

from __future__ import annotations

from pathlib import Path

from pedbench.registry import PluginSpec, Registry

HEAD = '''
"""Cheats."""
import ctypes, fcntl, gc, json, mmap, os, socket, sys, time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
import numpy as np
from pedbench.base import Attack
{at_import}

@dataclass(kw_only=True)
class Cheat(Attack):
    """Cheats."""

    name = "cheat"
    version = 1
    needs = frozenset({{"nothing"}})
    floor = True

    def reconstruct(self, view, rng):
        guess = np.full((*view.frame_size, 3), 0.5, np.float32)
{body}
        return guess
'''


def cheat(folder: Path, at_import: str, body: str) -> PluginSpec:
    plugin = folder / "cheat.py"
    plugin.write_text(HEAD.format(at_import=at_import, body=f"        {body}"))
    return Registry([plugin]).spec("attacks", "cheat", {})
