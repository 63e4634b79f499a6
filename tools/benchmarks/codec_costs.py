"""Measure costs and savings of codecs on the mini family: `python -m tools.benchmarks.codec_costs`.

Prints the table and writes it into docs/measured/codecs.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from pedbench.measure.seeds import generator
from pedbench.models.sam.family import MINI
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.models.sam.stages import window_grid
from pedbench.network.links import Link, find_link
from pedbench.offload.passes.run_pass import Pass, run_pass
from pedbench.offload.passes.timing import Clock, turn_times
from pedbench.offload.servers.virtual import VirtualServers
from pedbench.pictures.frame import to_frame
from pedbench.plugins.defenses.ped_sam import PedSam
from pedbench.registry import Registry
from pedbench.report.words.text import code, quantity, shown, table
from pedbench.results.statistics import difference, mean
from pedbench.types import Sample
from pedbench.utility.segmentation import evaluate
from tools.documents.measured_blocks import measured

SERVERS = 3
PROMPTS = ("1", "box")
LINKS = ("wifi-5", "5g", "lte")
FORMS = (
    ("pixels", "float32"),
    *(("pixels", reply) for reply in ("float16", "bfloat16")),
    *(("pixels", f"quantised(bits={bits})") for bits in (8, 6, 5, 4)),
    *((payload, "float32") for payload in ("png", "webp(quality=90)", "webp(quality=75)")),
    *((f"jpeg(quality={quality})", "float32") for quality in (95, 90, 75, 50)),
    ("png", "quantised(bits=6)"),
    ("jpeg(quality=90)", "quantised(bits=6)"),
)
"""Payload and reply of the passes. The others are compared with the first."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Scores, bytes and transfer times of one pair of codecs.

    Attributes:
        scores: IoU of medium and large objects, with the columns image, annotation, metric and value.
        sizes: Bytes up and down of each picture.
        seconds: Transfer time of each link by picture.
    """

    scores: pd.DataFrame
    sizes: pd.DataFrame
    seconds: pd.DataFrame


def link_seconds(done: Pass, link: Link) -> float:
    """Compose the seconds of a pass over a link without jitter and without computing."""
    still = replace(link, up=replace(link.up, jitter=0), down=replace(link.down, jitter=0))
    rounds = [
        [replace(each, sent=0.0, received=0.0, started=0.0, finished=0.0, replied=0.0) for each in exchanges]
        for exchanges in done.rounds
    ]
    return turn_times(rounds, Clock(), still).total


def measure(
    payload: str, reply: str, samples: Sequence[Sample], servers: VirtualServers, networks: FamilyNetworks
) -> Measured:
    """Run ped_sam over pictures with one codec for payloads and one for replies."""
    encoder = networks.network("original").image_encoder
    grid = window_grid(encoder)
    defense = PedSam(servers=SERVERS, payload=payload, reply=reply)
    scores, sizes, seconds = [], [], []
    for sample in samples:
        frame = to_frame(sample.image, encoder.img_size)
        rng = generator(0, "scenes", sample.id, defense.label)
        done = run_pass(defense, frame, servers, networks, rng)
        rows = evaluate(
            done.embedding,
            sample,
            frame=(frame.shape[0], frame.shape[1]),
            window=grid.window * grid.patch,
            protocol="clicks",
            prompts=PROMPTS,
        )
        scores += [{"image": sample.id, **row} for row in rows if row["size"] in ("M", "L")]
        up, down = (
            sum(each) for each in zip(*((e.bytes_up, e.bytes_down) for e in done.exchanges), strict=True)
        )
        sizes.append({"up": up, "down": down})
        seconds.append({name: link_seconds(done, find_link(name)) for name in LINKS})
    return Measured(scores=pd.DataFrame(scores), sizes=pd.DataFrame(sizes), seconds=pd.DataFrame(seconds))


def cells(found: Measured, reference: Measured) -> Iterator[str]:
    """Yield the cells of a row, without payload and reply."""
    for column in ("up", "down"):
        yield quantity(found.sizes[column].mean(), "B")
    for prompt in found.scores["metric"].unique():
        mine, theirs = (each.scores[each.scores["metric"] == prompt] for each in (found, reference))
        if found is reference:
            yield shown(mean(mine))
            continue
        change = difference(mine, theirs)
        low, high = change.ci95 or (change.value, change.value)
        yield f"{100 * change.value:+.2f} [{100 * low:+.2f}, {100 * high:+.2f}]"
    for name in LINKS:
        yield quantity(found.seconds[name].median(), "s")


@measured("measured/codecs.md", "codecs")
def main(pictures: int = 24) -> str:
    """Measure each codec on some validation scenes."""
    dataset = Registry().create("datasets", "scenes", {"split": "val"})
    samples = [dataset[index] for index in range(pictures)]
    networks = FamilyNetworks(family=MINI)
    found: list[Measured] = []
    lines = []
    with VirtualServers(SERVERS, networks) as servers:
        for payload, reply in FORMS:
            found.append(measure(payload, reply, samples, servers, networks))
            lines.append([code(payload), code(reply), *cells(found[-1], found[0])])
            print(*lines[-1], flush=True)
    prompts = found[0].scores["metric"].unique()
    headers = ["payload", "reply", "up ↓", "down ↓", *(f"{prompt}, M+L" for prompt in prompts), *LINKS]
    return (
        f"`ped_sam` with {SERVERS} servers on {pictures} validation scenes, mini models. Bytes are means a "
        "picture. The first line has the IoU as it is, the others the difference from it in points, picture by "
        "picture, with 95 % bootstrap intervals over pictures. On the right: what each link alone needs for the "
        "bytes, medians, without jitter and without any computing.\n\n"
        f"{table(headers, lines, left=2)}"
    )


if __name__ == "__main__":
    main()
