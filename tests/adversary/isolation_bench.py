"""An attack that tries to learn more than its view, and a pool that runs it next to a folder with the truth."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from pedbench.adversary.isolation.pool import AttackPool
from pedbench.adversary.prior import make_prior
from pedbench.adversary.view_bytes import view_to_bytes
from pedbench.registry import PluginSpec, Registry
from pedbench.types import Patch, Picture, View

CHEAT = '''
"""Tries to learn more than the view says."""
import json, os, socket, subprocess, sys
from dataclasses import dataclass
from pathlib import Path
import numpy as np
from pedbench.base import Attack

remembered = []

@dataclass(kw_only=True)
class Cheat(Attack):
    """Tries to learn more than the view says."""

    name = "cheat"
    version = 1
    needs = frozenset({"nothing"})
    way: str
    target: str = ""

    def prepare(self, device):
        if self.way == "broken_prepare":
            raise OSError("no weights here")

    def reconstruct(self, view, rng):
        guess = np.full((*view.frame_size, 3), 0.25, np.float32)
        return getattr(self, self.way)(guess, view, rng)

    def honest(self, guess, view, rng):
        guess[0, 0] = rng.random(3)
        return guess

    def read(self, guess, view, rng):
        return np.load(self.target)

    def read_around_python(self, guess, view, rng):
        import ctypes
        library = ctypes.CDLL(None, use_errno=True)
        if library.open(self.target.encode(), 0) < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return guess

    def read_through_link(self, guess, view, rng):
        return np.load("/proc/self/root" + self.target)

    def list_folder(self, guess, view, rng):
        return os.listdir(self.target)

    def ask_parent(self, guess, view, rng):
        return Path(f"/proc/{self.target}/environ").read_bytes()

    def look_up(self, guess, view, rng):
        return __import__(self.target)

    def load_generator(self, guess, view, rng):
        import importlib.util, pedbench
        file = Path(pedbench.__file__).parent / "scenes" / "geometry.py"
        module = importlib.util.module_from_spec(spec := importlib.util.spec_from_file_location("g", file))
        spec.loader.exec_module(module)
        return guess

    def connect(self, guess, view, rng):
        socket.create_connection(("127.0.0.1", int(self.target)), timeout=5)

    def run_program(self, guess, view, rng):
        return subprocess.run(["cat", self.target], capture_output=True)

    def kill_parent(self, guess, view, rng):
        os.kill(int(self.target), 0)

    def global_state(self, guess, view, rng):
        import tests_shared_truth
        return tests_shared_truth.picture

    def environment(self, guess, view, rng):
        command = Path("/proc/self/cmdline").read_text()
        known = json.dumps(dict(os.environ)) + str(sys.argv) + os.getcwd() + command
        guess[:] = float(self.target in known)
        return guess

    def remember(self, guess, view, rng):
        notes = Path("notes.txt")
        guess[:] = 1.0 if remembered or notes.exists() else 0.0
        remembered.append(view)
        notes.write_text("seen")
        return guess

    def narrow(self, guess, view, rng):
        return guess[:, 1:]

    def doubles(self, guess, view, rng):
        return guess.astype(np.float64)

    def not_a_number(self, guess, view, rng):
        guess[3, 4] = np.nan
        return guess

    def bright(self, guess, view, rng):
        return guess * 6

    def hang(self, guess, view, rng):
        import signal
        signal.pause()


    def fail(self, guess, view, rng):
        raise ZeroDivisionError("nothing to divide by")

    def leave(self, guess, view, rng):
        os._exit(0)

    def die(self, guess, view, rng):
        os.abort()
'''
TRUTH = np.random.default_rng(1).random((24, 32, 3)).astype(np.float32)


class Bench:
    """A process that can be asked to cheat in any of several ways, beside a folder with the truth."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.data.mkdir()
        np.save(self.data / "truth.npy", TRUTH)
        plugin = folder / "cheat.py"
        plugin.write_text(CHEAT)
        greys = (np.full((8, 8, 3), level, np.float32) for level in (0.2, 0.6))
        prior = make_prior(greys, folder / "prior", source="greys", count=2)
        patch = Patch(picture=TRUTH[:8, :8], top=0, left=0, server=0)
        self.view = view_to_bytes(View(frame_size=(24, 32), patches=(patch,), prior=prior))
        registry = Registry([plugin])

        def cheat(way: str, target: object = "") -> PluginSpec:
            return registry.spec("attacks", "cheat", {"way": way, "target": str(target)})

        self.specs = {
            "honest": cheat("honest"),
            "read": cheat("read", self.data / "truth.npy"),
            "read_around_python": cheat("read_around_python", self.data / "truth.npy"),
            "read_through_link": cheat("read_through_link", self.data / "truth.npy"),
            "list_folder": cheat("list_folder", self.data),
            "ask_parent": cheat("ask_parent", os.getpid()),
            "look_up_scenes": cheat("look_up", "pedbench.scenes.painting.geometry"),
            "look_up_datasets": cheat("look_up", "pedbench.plugins.datasets.coco"),
            "load_generator": cheat("load_generator"),
            "connect": cheat("connect", 9),
            "run_program": cheat("run_program", self.data / "truth.npy"),
            "kill_parent": cheat("kill_parent", os.getpid()),
            "environment": cheat("environment", self.data),
            **{
                way: cheat(way)
                for way in (
                    "global_state",
                    "remember",
                    "narrow",
                    "doubles",
                    "not_a_number",
                    "bright",
                    "fail",
                    "hang",
                )
            },
            **{way: cheat(way) for way in ("leave", "die", "broken_prepare")},
            "mean_colour": registry.spec("attacks", "mean_colour", {}),
        }
        self.prior = folder / "prior"
        self.pool = AttackPool([*self.specs.values()], prior=self.prior)

    def ask(self, way: str, seed: int = 0) -> Picture:
        return self.pool.guess(self.specs[way], [self.view], [seed]).pictures[0]
