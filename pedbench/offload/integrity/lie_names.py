"""Names of the lies of servers, in a module without torch, which suites import."""

from typing import Literal

LieName = Literal["noise", "replay", "perturbed", "nan"]
"""A kind of false tokens that servers may return; see `dishonest_replies.Lies`."""
