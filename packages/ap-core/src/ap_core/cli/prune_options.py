"""The options of `ap prune`, and the value that they make."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from ap_core.budget import DEFAULT_BAND
from ap_core.cli.inputs import AUTO, INPUT_SIZE, MULTIPLE, PART, SHARE, table_of, typed_options
from ap_core.contracts import Precision, Stack, WeightsPolicy
from ap_core.errors import UsageError
from ap_core.pipeline.options import PruneOptions
from ap_core.pipeline.searching.situation import TRIALS
from ap_core.strategy import Normalisation, Ranking, Reduction, Strategy


def _choice(values: type) -> click.Choice[str]:
    return click.Choice([each.value for each in values])  # type: ignore[attr-defined]


def _option(*names: str, **settings: Any) -> click.Option:
    return click.Option(list(names), **settings)


PRUNE_OPTIONS: tuple[click.Option, ...] = (
    _option("--model", metavar="NAME",
            help="Name as 'ap models' lists them, or package.module:factory."),
    _option("--target-macs", default="", metavar="N[,N...]",
            help='Cap on multiply-accumulates: 8.48 (G), 850M, 50%; several give a curve.'),
    _option("--target-params", default="", metavar="N[,N...]",
            help="Cap on parameters: 12 (M), 12M, 50%; with --target-macs, both hold."),
    _option("--target-latency", default="", metavar="T[,T...]",
            help="Cap on the time of a forward pass, measured on this machine: 4ms, 850us, 70%; "
                 "with others, all hold."),
    _option("--latency-backend", default="eager", show_default=True, metavar="NAME",
            help="What runs the network where it is timed: eager, compile, onnxruntime, ... ('ap "
                 "plugins' lists them)."),
    _option("--latency-device", default="cpu", show_default=True, metavar="NAME",
            help="Where it is timed: cpu, cuda, cuda:1, mps, auto."),
    _option("--latency-batch", type=click.IntRange(min=1), default=1, show_default=True,
            metavar="N", help="Images in a pass that is timed."),
    _option("--latency-dtype", type=_choice(Precision), default="fp32", show_default=True,
            help="Type of weights and images."),
    _option("--latency-threads", type=click.IntRange(min=1), metavar="N",
            help="Threads of the CPU; default: as many as the backend takes."),
    _option("--latency-memory-format", type=click.Choice(["contiguous", "channels-last"]),
            default="contiguous", show_default=True, help="How channels lie in memory."),
    _option("--band", type=PART, default=DEFAULT_BAND, show_default="0.5%", metavar="SHARE",
            help="How far below a target of MACs or parameters a plan may end."),
    _option("--raw-strategy", is_flag=True,
            help="Apply strategies' widths as they are, as the AgenticPruner paper does: the "
                 "search has to find the budget by itself, and may miss it. For comparisons."),
    _option("--raw-band", default="paper", show_default=True, metavar="+ABOVE/-BELOW",
            help="What counts as met there, in per cent: paper (+1/-5), paper-vit (+5/-15), "
                 "+2/-3."),
    _option("--weights", type=_choice(WeightsPolicy), default="auto", show_default=True,
            help="Where weights come from; auto goes on with random ones, loudly."),
    _option("--checkpoint", type=click.Path(path_type=Path), metavar="FILE",
            help="State dict, .safetensors or .pth."),
    _option("--num-classes", type=click.IntRange(min=1), help="Classes of the network."),
    _option("--input-size", type=INPUT_SIZE, metavar="N|C,H,W",
            help="Size of one image; default: the network's own."),
    _option("--data", default="", metavar="NAME|DIR",
            help="Images to score and judge with: digits, a folder of class folders, ..."),
    _option("--data-root", type=click.Path(path_type=Path), metavar="DIR",
            help="Where a data set that has a name lies, or goes; default: the user's cache."),
    _option("--batch-size", type=click.IntRange(min=1), default=32, show_default=True,
            help="Images in a batch."),
    _option("--calibration-batches", type=click.IntRange(min=1), default=8, show_default=True,
            help="Batches that score the channels."),
    _option("--held-out", type=click.IntRange(min=1), metavar="N",
            help="Images that judge trials, and as many that report; default: all that are left."),
    _option("--on-corrupt", type=click.Choice(["refuse", "skip"]), default="refuse",
            show_default=True, help="What to do with images that cannot be read."),
    _option("--importance", metavar="NAME",
            help="What ranks the channels; default: taylor with --data, l2 without."),
    _option("--reduction", type=_choice(Reduction),
            help="How scores of a group's layers become one; default: what suits the importance."),
    _option("--normalisation", type=_choice(Normalisation),
            help="What a group's scores are divided by; default: what suits the importance."),
    _option("--ranking", type=_choice(Ranking),
            help="Which groups compete: those of one structure, all, or none; default: what suits "
                 "the importance."),
    _option("--smoothing", type=click.FloatRange(0, 10), metavar="N",
            help="0 trusts the scores alone; large values cut every group alike; default: what "
                 "suits the importance."),
    _option("--pressure", multiple=True, metavar="GLOB=N",
            help="Cut more (above 1) or less (below 1) where the glob matches."),
    _option("--floor", type=SHARE, default=0.15, show_default="15%", metavar="SHARE",
            help="Share of its channels that every group keeps."),
    _option("--floors", multiple=True, metavar="GLOB=SHARE", help="Floors of some groups."),
    _option("--widths", multiple=True, metavar="GLOB=SHARE",
            help="Shares of channels that are fixed, not solved for."),
    _option("--keep", multiple=True, metavar="GLOB",
            help="Layers, stages, scopes, groups or blocks that stay whole."),
    _option("--drop", multiple=True, metavar="GLOB",
            help="Blocks that are dropped whole: 'blocks.3.*', 'block(attention)'."),
    _option("--depth", is_flag=True,
            help="Let the solver drop blocks whole, where they are worth less than they cost."),
    _option("--round-to", type=MULTIPLE, metavar="N|auto",
            help="Multiple of every width; default: 8 from a width of 64, 4 from 32, 2 from 16, "
                 "less if need be. auto puts in the place of 8 what the stack of --latency-* "
                 "rewards, by measurement; so does --target-latency."),
    _option("--strategist", default="", metavar="NAME",
            help="Who proposes strategies: solver, grid, random, tpe, agents; default: solver, or "
                 "agents with --llm."),
    _option("--trials", type=click.IntRange(min=1), metavar="N",
            help="How many strategies to try; default: the strategist's own number."),
    _option("--search-seconds", type=click.FloatRange(0, min_open=True), metavar="N",
            help="Begin no trial after so many seconds of searching; default: no limit."),
    _option("--llm", default="none", show_default=True, metavar="NAME[:MODEL][@URL]",
            help="LLM that learns which strategy suits the network: anthropic, openai, ollama, ... "
                 "('ap plugins' lists them); auto takes one whose key is set."),
    _option("--llm-timeout", type=click.FloatRange(0, 3600, min_open=True), default=120.0,
            show_default=True, metavar="SECONDS", help="Time that one call may take."),
    _option("--llm-max-calls", type=click.IntRange(min=1), metavar="N",
            help="Calls of a whole search; default: four a trial."),
    _option("--llm-max-tokens", type=click.IntRange(min=1), metavar="N",
            help="Tokens of a whole search, prompts and replies; default: no limit."),
    _option("--llm-temperature", type=click.FloatRange(0, 2), metavar="N",
            help="How freely the LLM chooses its words; default: its service's."),
    _option("--recover", multiple=True, metavar="NAME",
            help="Recoveries after the cut, with --data; 'none' for none; default: all."),
    _option("--seed", type=click.IntRange(min=0), default=0, show_default=True,
            help="Seed of random weights, splits and strategists."),
)  # fmt: skip


NEED_LLM = frozenset({"--llm-timeout", "--llm-max-calls", "--llm-max-tokens", "--llm-temperature"})
PROPOSING = NEED_LLM | {"--llm", "--strategist", "--search-seconds"}
"""Options that say who proposes."""
NEED_DATA = frozenset(
    {"--data-root", "--batch-size", "--calibration-batches", "--held-out", "--on-corrupt"}
)

_OF_DRIVE = {
    option.opts[0]: option
    for option in (
        _option("--target-macs", default="", metavar="N",
                help='Cap on multiply-accumulates: 8.48 (G), 850M, 50%.'),
        _option("--target-params", default="", metavar="N",
                help="Cap on parameters: 12 (M), 12M, 50%; with --target-macs, both hold."),
        _option("--target-latency", default="", metavar="T",
                help="Cap on the time of a forward pass, measured on this machine: 4ms, 850us, "
                     "70%; with others, all hold."),
        _option("--trials", type=click.IntRange(min=1), default=TRIALS, show_default=True,
                metavar="N", help="How many strategies may be tried, the base strategy with them."),
    )
}  # fmt: skip

DRIVE_OPTIONS: tuple[click.Option, ...] = tuple(
    _OF_DRIVE.get(option.opts[0], option)
    for option in PRUNE_OPTIONS
    if not PROPOSING.intersection(option.opts)
)


OUTPUT = click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Run directory, absent or empty; default: a new one below ./runs.",
)


def options_of(given: Mapping[str, Any]) -> PruneOptions:
    """Options that the command line spells out. Raises: UsageError, also where one does nothing.

    given: values by the names of the command's parameters; what it does not take keeps its default.
    """
    if not given["model"]:
        raise UsageError("no model", hint="give one with --model; 'ap models' lists them")
    _refuse_ignored(typed_options(), given)
    strategy = Strategy(
        reduction=given["reduction"],
        normalisation=given["normalisation"],
        ranking=given["ranking"],
        smoothing=given["smoothing"],
        pressure=table_of("--pressure", given["pressure"], low=0.1, high=10.0),
        floor=given["floor"],
        floors=table_of("--floors", given["floors"], low=0.0, high=1.0),
        widths=table_of("--widths", given["widths"], low=0.0, high=1.0),
        keep=tuple(given["keep"]),
        drop=tuple(given["drop"]),
        depth=given["depth"],
        round_to=None if given["round_to"] == AUTO else given["round_to"],
    )
    same = (
        "model", "target_macs", "target_params", "target_latency", "band", "weights", "checkpoint",
        "num_classes", "input_size", "data", "data_root", "batch_size", "calibration_batches",
        "held_out", "on_corrupt", "importance", "strategist", "trials", "search_seconds", "seed",
        "llm", "llm_timeout", "llm_max_calls", "llm_max_tokens", "llm_temperature",
    )  # fmt: skip
    recover = given["recover"]
    return PruneOptions.parse(
        {name: given[name] for name in same if name in given}
        | {
            "raw": given["raw_band"] if given["raw_strategy"] else "",
            "strategy": strategy,
            "multiples": given["round_to"] == AUTO,
            "stack": _stack(given) if _times_something(given) else None,
            "recoveries": None if not recover else tuple(r for r in recover if r != "none"),
        }
    )


def _times_something(given: Mapping[str, Any]) -> bool:
    return bool(given["target_latency"]) or given["round_to"] == AUTO


def _stack(given: Mapping[str, Any]) -> Stack:
    return Stack(
        backend=given["latency_backend"],
        device=given["latency_device"],
        precision=Precision(given["latency_dtype"]),
        batch_size=given["latency_batch"],
        threads=given["latency_threads"],
        memory_format=given["latency_memory_format"],
    )


def _refuse_ignored(typed: Sequence[str], given: Mapping[str, Any]) -> None:
    if "--weights" in typed and "--checkpoint" in typed:
        raise UsageError(
            "--weights and --checkpoint do not go together",
            hint="leave --weights out: they are in the checkpoint",
        )
    recover = set(given["recover"])
    if len(recover) > 1 and "none" in recover:
        raise UsageError(
            f"--recover none and --recover {min(recover - {'none'})} do not go together",
            hint="leave one out",
        )
    if "--raw-band" in typed and not given["raw_strategy"]:
        raise UsageError(
            "--raw-band does nothing without --raw-strategy",
            hint="leave it out, or give --raw-strategy",
        )
    if "--band" in typed and not (given["target_macs"] or given["target_params"]):
        raise UsageError(
            "--band does nothing without --target-macs or --target-params",
            hint="leave it out: a latency goes in steps, and has no band",
        )
    untimed = [option for option in typed if option.startswith("--latency-")]
    if untimed and not _times_something(given):
        raise UsageError(
            f"{untimed[0]} does nothing without --target-latency or --round-to auto",
            hint=f"leave {untimed[0]} out, or say how long a pass may take",
        )
    mute = [option for option in typed if option in NEED_LLM]
    if mute and given["llm"] == "none":
        raise UsageError(
            f"{mute[0]} does nothing without --llm",
            hint=f"name an LLM with --llm, or leave {mute[0]} out",
        )
    idle = [option for option in typed if option in NEED_DATA]
    idle += ["--recover"] if recover - {"none"} else []
    if idle and not given["data"]:
        raise UsageError(
            f"{idle[0]} does nothing without --data",
            hint=f"name images with --data, or leave {idle[0]} out",
        )
