"""The lies of servers by name; apart from their making, so that suites name them without loading torch."""

from typing import Literal

LieName = Literal["noise", "replay", "perturbed", "nan"]
"""A kind of tokens that servers may return in the place of the true ones; see `dishonest_replies.Lies`."""
