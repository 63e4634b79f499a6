"""`pedbench serve`: run a server for an edge on another machine."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Annotated

import typer

BIND = "127.0.0.1:50051"


def serve(
    bind: Annotated[str, typer.Option(help="HOST:PORT to listen at; port 0 chooses a free one.")] = BIND,
    model: Annotated[
        str, typer.Option(help="Model family: mini, vit_b, vit_l, vit_h, or a folder.")
    ] = "mini",
    original: Annotated[Path | None, typer.Option(help="Checkpoint of the original network.")] = None,
    fine_tuned: Annotated[
        Path | None, typer.Option("--fine-tuned", help="Checkpoint of the network in PED order.")
    ] = None,
    random_weights: Annotated[
        bool, typer.Option("--random-weights", help="Random weights: enough to time a network.")
    ] = False,
    device: Annotated[str, typer.Option(help="cpu, cuda, mps, or auto.")] = "auto",
    dtype: Annotated[str, typer.Option(help="Encoder dtype: float32, float16, bfloat16.")] = "float32",
    plugin: Annotated[
        list[str] | None, typer.Option(help="An importable module with further operations; may be repeated.")
    ] = None,
    keys: Annotated[
        Path | None, typer.Option(help="This server's folder from `pedbench keys`, for TLS with the edge.")
    ] = None,
    wiretap_payloads: Annotated[
        bool,
        typer.Option(
            "--wiretap-payloads/--no-wiretap-payloads",
            help="Keep messages on disk until a pass ends, or only their lengths and digests.",
        ),
    ] = True,
) -> None:
    """Serve one edge at a time, until Ctrl-C.

    An edge connects with `pedbench run --servers`.
    """
    from pedbench.network.addresses import refuse_plain
    from pedbench.network.certificates import read_identity

    host, port = refuse_plain(bind, "--bind", keys)
    identity = read_identity(keys, "server") if keys else None
    # These imports load torch, which takes seconds: wrong input is reported before.
    import pedbench
    from pedbench.host.device import choose_device, choose_dtype
    from pedbench.host.processes import keep_freed_memory
    from pedbench.host.provenance import cores, machine
    from pedbench.models.sam.family import WEIGHTS
    from pedbench.models.sam.networks import FamilyNetworks
    from pedbench.models.sam.random_weights import choose_family
    from pedbench.offload.servers.remote_server import listen
    from pedbench.offload.servers.server import ServerPlan, Service

    chosen = choose_device(device)
    networks = FamilyNetworks(
        family=choose_family(model, original=original, fine_tuned=fine_tuned, random=random_weights),
        device=chosen,
        dtype=choose_dtype(dtype),
    )
    weights = networks.family.digests(WEIGHTS)
    if not networks.family.digests(["original", "fine-tuned"]):
        raise ValueError(
            f"no weights were named for {model}: give --original, --fine-tuned or both, or --random-weights; "
            f"`pedbench fetch sam_{model}` gets the original ones."
        )
    keep_freed_memory()
    try:
        service = Service(
            ServerPlan(networks=networks, modules=tuple(plugin or ()), payloads=wiretap_payloads)
        )
    except ModuleNotFoundError as error:
        raise ValueError(f"--plugin: {error}; give the name of a module that can be imported.") from None
    service.handler.threads = cores()
    computer = machine(chosen)
    facts = {
        "version": pedbench.__version__,
        "model": model,
        "weights": weights,
        "dtype": dtype,
        "machine": computer,
    }
    server, bound = listen(service, host, port, facts, identity)
    until = f", TLS until {identity.ends:%Y-%m-%d}" if identity else ""
    print(f"serving {model} at {host}:{bound} on {computer['device_name']} ({chosen}{until})", flush=True)
    _wait_for_signal()
    server.stop(None)
    # A call that is still computing must not keep the process alive.
    os._exit(0)


def _wait_for_signal() -> None:
    """Wait for Ctrl-C (SIGINT) or SIGTERM."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    while not stop.wait(1.0):
        pass
