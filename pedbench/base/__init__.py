"""The seams: one base class for each kind of plugin, and what it is given.

A plugin is one class in one file of the same name. Its keyword-only dataclass fields are its whole
configuration; its `repr` is that configuration and serves as its id in tables and tests.
"""

from pedbench.base.attack import Attack, Calibration, Hosted, Proof, ReadOutAttack
from pedbench.base.codec import Codec
from pedbench.base.dataset import Dataset
from pedbench.base.defense import Defense, Disclosure
from pedbench.base.edge_and_cloud import Cloud, Edge, Embedding, Reply, ServerHandle
from pedbench.base.mask_decoder import MaskDecoder
from pedbench.base.metric import Metric
from pedbench.base.operation import Field, Networks, Operation
from pedbench.base.plugin import Plugin
from pedbench.base.probe import MARGIN, Claim, Probe
from pedbench.errors import PluginUnavailable, ProbeUnavailable

__all__ = [
    "MARGIN",
    "Attack",
    "Calibration",
    "Claim",
    "Cloud",
    "Codec",
    "Dataset",
    "Defense",
    "Disclosure",
    "Edge",
    "Embedding",
    "Field",
    "Hosted",
    "MaskDecoder",
    "Metric",
    "Networks",
    "Operation",
    "Plugin",
    "PluginUnavailable",
    "Probe",
    "ProbeUnavailable",
    "Proof",
    "ReadOutAttack",
    "Reply",
    "ServerHandle",
]
