"""Make the plan of a run from a resolved suite."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from pedbench.adversary.hosted.painter import FOLDER as HOSTED
from pedbench.adversary.hosted.painter import host_of
from pedbench.base import Dataset, Metric
from pedbench.data.readable import FileDataset
from pedbench.errors import DatasetError, PluginError
from pedbench.fetching.fetch import provider
from pedbench.host.home import home
from pedbench.models.hub.folders import model_files, weight_digests
from pedbench.models.manifest import is_shipped
from pedbench.models.sam.family import Family
from pedbench.registry import Registry
from pedbench.suites.cell import Cell, PluginIdentity, selection_hash
from pedbench.suites.choices import AttackChoice
from pedbench.suites.defense_plan import configured, plan_claims, plan_defense
from pedbench.suites.plan import Plan, Planned
from pedbench.suites.schema import ResolvedSuite


def make_plan(
    suite: ResolvedSuite,
    registry: Registry,
    family: Family,
    recorded: tuple[Dataset, str | None] | None = None,
) -> Plan:
    """Open the dataset, build the plugins and list the cells.

    Args:
        recorded: What stands in for the dataset, which then is not opened, and the hash of the gallery's pictures.

    Raises:
        PluginError: A plugin is unknown or broken, a parameter is wrong, or an attack asks to read the truth.
        DatasetError: The dataset cannot be read.
        CheckpointError: Weights are missing.
        ValueError: The dataset holds too few readable pictures, or no attack is a floor.
    """
    dataset: Dataset = (
        recorded[0] if recorded else registry.create("datasets", suite.dataset.name, suite.dataset.params)
    )
    ids = list(dataset.ids()[: suite.dataset.limit])
    unread = [f"\nleft out: {id}: {reason}" for id, reason in dataset.left_out.items()]
    if not ids:
        raise ValueError("".join([f"dataset {suite.dataset.name} holds no readable picture.", *unread]))
    if suite.dataset.limit is not None and len(ids) < suite.dataset.limit:
        sentence = (
            f"dataset {suite.dataset.name} holds {len(ids)} readable pictures, fewer than the limit of "
            f"{suite.dataset.limit}. Lower the limit, or leave it out to take all."
        )
        raise ValueError("".join([sentence, *unread]))
    counts = dataset.counts if isinstance(dataset, FileDataset) else None
    if suite.utility and counts is not None and counts.lost and not counts.used:
        raise DatasetError(
            f"dataset {dataset.name}: {counts}. Expected COCO's instances, each with an integer id of its own, an "
            "image_id and a segmentation: files of panoptic segments, keypoints, captions or boxes alone have no masks."
        )
    base = Cell(
        kind="utility",
        dataset=dataset.name,
        revision=dataset.revision,
        selection=selection_hash(ids),
        model=family.name,
        weights="",
        defense=PluginIdentity(name="", version=0),
        seed=suite.seed,
    )
    gallery, known = (None, recorded[1]) if recorded else _gallery(suite, dataset, ids, registry)
    attacks = _attacks(suite.attacks, registry)
    keep_apart(attacks, dataset.locations, f"dataset {dataset.name} keeps the truth")
    keep_apart(attacks, [home() / HOSTED], "replies of services are kept, which show other views")
    floors = [planned for planned in attacks if planned.plugin.floor]
    for planned in floors:
        if planned.limit is not None or planned.slow:
            raise ValueError(
                f"{planned.plugin.name} is a floor, to which all attacks relate on every view: leave its limit, slow "
                "and coalitions out."
            )
    if attacks and not any("nothing" in planned.plugin.needs for planned in floors):
        raise ValueError(
            "leakage relates to the best floor that received nothing, and none of the attacks is such a floor: "
            f"{', '.join(planned.plugin.label for planned in attacks)}. Add one, e.g. mean_colour."
        )
    probes = tuple((choice, configured("probes", choice, registry)) for choice in suite.probes)
    metrics: tuple[Metric, ...] = tuple(
        registry.create("metrics", choice.name, choice.params) for choice in suite.metrics
    )
    # The package and the catalogue pin all other files of metrics.
    learned = [
        metric for metric in metrics if not all(is_shipped(file) or provider(file) for file in metric.files)
    ]
    defenses = tuple(
        plan_defense(choice, base, ids, suite, attacks, known, registry, family, learned)
        for choice in suite.defenses
    )
    return Plan(
        suite=suite,
        dataset=dataset,
        selection=tuple(range(len(ids))),
        family=family,
        metrics=metrics,
        attacks=attacks,
        probes=tuple(planned for _, planned in probes),
        defenses=tuple(replace(each, claims=plan_claims(each, probes, attacks, ids)) for each in defenses),
        gallery=gallery,
    )


def _attacks(choices: Sequence[AttackChoice], registry: Registry) -> tuple[Planned, ...]:
    """Build the attacks, and behind them the chains of attacks that complete what others read out."""
    singles = [
        (
            choice,
            replace(
                configured("attacks", choice, registry),
                limit=choice.limit,
                slow=choice.slow or choice.coalitions is not None,
            ),
        )
        for choice in choices
    ]
    # What is uploaded costs and cannot be had back: never more views than slow attacks get.
    singles = [
        (choice, replace(planned, slow=planned.slow or planned.plugin.hosted is not None))
        for choice, planned in singles
    ]
    for _, planned in singles:
        if planned.plugin.hosted is not None:
            host_of(planned.plugin.hosted)
    reading = [planned for _, planned in singles if planned.plugin.reads_out]
    chains = []
    for choice, planned in singles:
        if choice.read_outs and not planned.plugin.completes:
            raise ValueError(f"{choice.name} completes no pictures: leave its read_outs out.")
        unknown = (
            set() if choice.read_outs == "all" else {*choice.read_outs} - {e.plugin.name for e in reading}
        )
        if unknown:
            raise ValueError(
                f"{choice.name} names read_outs that the suite has not: {', '.join(sorted(unknown))}."
            )
        for read_out in reading:
            if choice.read_outs == "all" or read_out.plugin.name in choice.read_outs:
                limits = [each for each in (planned.limit, read_out.limit) if each is not None]
                chains.append(
                    replace(
                        planned,
                        read_out=read_out,
                        slow=planned.slow or read_out.slow,
                        limit=min(limits, default=None),
                    )
                )
    return (*(planned for _, planned in singles), *chains)


def keep_apart(attacks: Sequence[Planned], truths: Iterable[Path], reason: str) -> None:
    """Refuse attacks that ask to read where the truth lies.

    Args:
        truths: Files and folders that hold it, or some of it.
        reason: Who keeps it there, as a clause.

    Raises:
        PluginError: An attack does.
    """
    places = [path.resolve() for path in truths]
    for planned in attacks:
        for file in (path.resolve() for path in planned.plugin.files):
            for place in places:
                if file.is_relative_to(place) or place.is_relative_to(file):
                    raise PluginError(
                        f"attack {planned.plugin.name} asks to read {file}, where {reason}: no number of it would mean "
                        "anything."
                    )


def _gallery(
    suite: ResolvedSuite, dataset: Dataset, ids: Sequence[str], registry: Registry
) -> tuple[Dataset | None, str | None]:
    """Return the dataset of the gallery and the hash of its pictures; None where the suite has none."""
    if suite.gallery is None:
        return None, None
    gallery: Dataset = registry.create("datasets", suite.gallery.name, suite.gallery.params)
    known = list(gallery.ids()[: suite.gallery.limit])
    absent = [id for id in ids if id not in set(known)]
    if (gallery.name, gallery.revision) != (dataset.name, dataset.revision) or absent:
        raise ValueError(
            f"the gallery must hold the pictures that are searched for in it: it has {len(known)} of "
            f"{gallery.name}, revision {gallery.revision}; the dataset is {dataset.name}, revision "
            f"{dataset.revision}, and {len(absent)} of its {len(ids)} pictures are not among them."
        )
    model = suite.gallery.model
    compared = [model, *weight_digests(model_files(model)).values()] if model else []
    return gallery, selection_hash([gallery.revision, *known, *compared])
