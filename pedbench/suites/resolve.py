"""From a suite and the command line's wishes to exactly what is run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

from pedbench.adversary.isolation.facts import create
from pedbench.errors import suggestion
from pedbench.models.hub.folders import model_reference
from pedbench.registry import Kind, Registry
from pedbench.suites.choices import (
    AttackChoice,
    Choice,
    DatasetChoice,
    DefenseChoice,
    GalleryChoice,
    ProbeChoice,
)
from pedbench.suites.files import SuiteError
from pedbench.suites.fresh_seed import revealed
from pedbench.suites.lies import with_each_lie
from pedbench.suites.schema import ResolvedSuite, Suite
from pedbench.suites.settings import named_choice, with_settings, with_sweep

SomeChoice = TypeVar("SomeChoice", bound=Choice)


@dataclass(frozen=True, kw_only=True)
class Overrides:
    """Selections and limits of the command line; None and () leave the suite as it is.

    Attributes:
        defenses: Names. All entries of the suite with such a name stay; a name that the suite does not have
            joins with default parameters. A choice, or `name(parameter=value, ...)`, joins with these parameters.
        attacks, metrics: The same for attacks and metrics.
        dataset: A name, a name with parameters, or a choice.
        data: Where the dataset lies; becomes its parameter `data`.
        weights: Files of the model family's weights, by name.
        settings: `name.parameter=value`: each selected plugin with that name gets that value. The names `latency`
            and `servers` stand for these tables.
        sweeps: `defense.parameter=value,value,...`: each entry of that defense is run once per value.
        links: Names of links, in the place of the suite's.
        secret: From which the seed follows that the suite's dataset commits to.
    """

    defenses: Sequence[str | Choice] = ()
    attacks: Sequence[str | Choice] = ()
    metrics: Sequence[str | Choice] = ()
    dataset: str | Choice | None = None
    data: Path | None = None
    limit: int | None = None
    seed: int | None = None
    model: str | None = None
    weights: Mapping[str, str | Path] = field(default_factory=dict)
    settings: Sequence[str] = ()
    sweeps: Sequence[str] = ()
    links: Sequence[str] = ()
    secret: str | None = None


def resolve(suite: Suite, overrides: Overrides, registry: Registry) -> ResolvedSuite:
    """Apply overrides, expand sweeps and complete every plugin's parameters.

    Resolving a resolved suite again changes nothing.

    Raises:
        PluginError: A plugin is unknown or broken, or a parameter is wrong.
        SuiteError: A sweep or setting cannot be read, a model family, its weights, a prompt or link is unknown, a
            probe names an attack that the suite does not have, or a defense has not the servers that are to lie.
    """
    from pedbench.models.sam.family import FAMILIES, family
    from pedbench.suites.timing import check_latency
    from pedbench.utility.segmentation import PROMPTS

    for utility in suite.utility:
        known = PROMPTS[utility.protocol]
        for prompt in utility.prompts:
            if prompt not in known:
                raise SuiteError(
                    f"protocol {utility.protocol} has no prompt {prompt!r}{suggestion(prompt, known)}. "
                    f"Known: {', '.join(known)}."
                )
    model = model_reference(overrides.model or suite.model)
    if model not in FAMILIES and "/" not in model:
        raise SuiteError(
            f"there is no model family {model!r}{suggestion(model, FAMILIES)}. Known: {', '.join(FAMILIES)}; or a "
            "folder with a SAM in transformers' format."
        )
    given = {**({} if model != suite.model else suite.weights or {}), **overrides.weights}
    try:
        weights = dict(family(model, given).named)
    except ValueError as error:
        raise SuiteError(f"weights: {error}.") from None
    whole, suite = suite, _with_selection(suite, overrides)
    listed: list[Choice] = [*whole.defenses, *whole.attacks, *whole.metrics]
    left_out = [whole.dataset.name, *(choice.name for choice in listed)]
    suite = with_settings(suite, overrides.settings, left_out)
    latency = suite.latency.model_copy(update={"links": list(overrides.links or suite.latency.links)})
    check_latency(suite.model_copy(update={"latency": latency}))
    defenses = suite.defenses
    for sweep in overrides.sweeps:
        defenses = with_sweep(defenses, sweep)
    complete = [with_each_lie(each, registry) for each in _complete("defenses", defenses, registry)]
    compared = suite.compare_with
    if compared and not overrides.defenses and not any(_is(choice, compared) for choice in complete):
        raise SuiteError(
            f"compare_with names {compared.name} with {compared.params}, and no defense of the suite is that. "
            f"Its defenses: {', '.join(dict.fromkeys(choice.name for choice in complete))}."
        )
    return ResolvedSuite(
        name=suite.name,
        version=suite.version,
        seed=suite.seed if overrides.seed is None else overrides.seed,
        model=model,
        weights=weights or None,
        seeds=suite.seeds,
        deadline=suite.deadline,
        exhibits=suite.exhibits,
        dataset=_dataset(suite.dataset, overrides, registry),
        utility=suite.utility,
        defenses=complete,
        attacks=_complete("attacks", suite.attacks, registry),
        metrics=_complete("metrics", suite.metrics, registry),
        probes=_complete("probes", _reading(suite, whole.attacks), registry),
        coalitions=suite.coalitions,
        latency=latency,
        servers=suite.servers,
        gallery=_gallery(whole, overrides, registry),
        compare_with=compared,
        allow_upload=suite.allow_upload,
        uploads=suite.uploads,
    )


def _with_selection(suite: Suite, overrides: Overrides) -> Suite:
    """Return the suite with the defenses, attacks, metrics and the dataset that the command line selects."""
    dataset = overrides.dataset if isinstance(overrides.dataset, Choice) else suite.dataset
    if isinstance(overrides.dataset, str):
        named = named_choice(overrides.dataset)
        if isinstance(named, Choice):
            dataset = named
        elif named != suite.dataset.name:
            dataset = Choice(name=named)
    return suite.model_copy(
        update={
            "defenses": _selected(suite.defenses, overrides.defenses, DefenseChoice),
            "attacks": _selected(suite.attacks, overrides.attacks, AttackChoice),
            "metrics": _selected(suite.metrics, overrides.metrics, Choice),
            "dataset": suite.dataset
            if dataset is suite.dataset
            else DatasetChoice(name=dataset.name, params=dataset.params, limit=suite.dataset.limit),
        }
    )


def _gallery(suite: Suite, overrides: Overrides, registry: Registry) -> GalleryChoice | None:
    """The suite's gallery; none for another dataset than the suite's, whose pictures it does not hold."""
    other = overrides.dataset not in (None, suite.dataset.name) or overrides.data is not None
    if suite.gallery is None or other:
        return None
    seed, _ = revealed(suite.dataset, overrides.secret)
    params = _all_params("datasets", suite.gallery.name, {**suite.gallery.params, **seed}, registry)
    model = suite.gallery.model and model_reference(suite.gallery.model)
    return suite.gallery.model_copy(update={"params": params, "model": model})


def _is(choice: Choice, wanted: Choice) -> bool:
    return choice.name == wanted.name and wanted.params.items() <= choice.params.items()


def _selected(
    choices: Sequence[SomeChoice], overrides: Sequence[str | Choice], kind: type[SomeChoice]
) -> list[SomeChoice]:
    if not overrides:
        return list(choices)
    wanted = [named_choice(each) if isinstance(each, str) else each for each in overrides]
    kept = [choice for choice in choices if choice.name in wanted]
    present = {choice.name for choice in kept}
    names = dict.fromkeys(each for each in wanted if isinstance(each, str))
    joined = [kind(name=name) for name in names if name not in present]
    given = [kind(name=each.name, params=each.params) for each in wanted if isinstance(each, Choice)]
    return kept + joined + given


def _reading(suite: Suite, attacks: Sequence[Choice]) -> list[ProbeChoice]:
    """Return the probes without those of the `attacks` of the whole suite that the command line left out."""
    known, left = ({choice.name for choice in choices} for choices in (attacks, suite.attacks))
    for name in (name for probe in suite.probes for name in probe.attacks if name not in known):
        raise SuiteError(
            f"a probe reads the guesses of {name!r}, which is no attack of the suite{suggestion(name, known)}."
        )
    return [
        probe.model_copy(update={"attacks": [name for name in probe.attacks if name in left]})
        for probe in suite.probes
    ]


def _dataset(dataset: DatasetChoice, overrides: Overrides, registry: Registry) -> DatasetChoice:
    seed, secret = revealed(dataset, overrides.secret)
    params = {**dataset.params, **seed}
    if overrides.data is not None:
        params["data"] = str(overrides.data)
    limit = dataset.limit if overrides.limit is None else overrides.limit
    complete = _all_params("datasets", dataset.name, params, registry)
    return dataset.model_copy(update={"params": complete, "limit": limit, "secret": secret})


def _complete(kind: Kind, choices: Sequence[SomeChoice], registry: Registry) -> list[SomeChoice]:
    complete: dict[str, SomeChoice] = {}
    for choice in choices:
        for values in product(*choice.sweep.values()):
            params = {**choice.params, **dict(zip(choice.sweep, values, strict=True))}
            params = _all_params(kind, choice.name, params, registry)
            key = json.dumps([choice.name, params], sort_keys=True)
            complete.setdefault(key, choice.model_copy(update={"params": params, "sweep": {}}))
    return list(complete.values())


def _all_params(kind: Kind, name: str, params: dict[str, Any], registry: Registry) -> dict[str, Any]:
    given = create(registry, kind, name, params).params
    # Through JSON, as a suite file has lists where a plugin has tuples. TOML has no null: it is the default.
    return {
        key: _absolute(key, value)
        for key, value in json.loads(json.dumps(given)).items()
        if value is not None
    }


def _absolute(parameter: str, value: Any) -> Any:
    """Return the absolute path of a file or folder that a parameter names; other values unchanged."""
    if not isinstance(value, str) or not value:
        return value
    path = Path(value).expanduser()
    # A word, such as the name of weights or of a split, may be that of a local file by chance.
    is_path = parameter == "data" or (("/" in value or path.suffix) and path.exists())
    return str(path.resolve()) if is_path else value
