"""What `ap drive` shows."""

import json

from ap_core.cli.trial_view import SPARE, TRIALS, YARDSTICK, trial_row
from ap_core.console import Console
from ap_core.pipeline.searching.situation import Situation
from ap_core.report.commands import command
from ap_core.runs.documents import Document, encode
from ap_core.runs.schema import SCHEMA
from ap_core.search.trial import Trial


def show_situation(console: Console, situation: Situation) -> None:
    """What an LLM would be sent, the schema of its reply, and what to type next."""
    console.result(situation.briefing.system)
    console.result(situation.briefing.prompt)
    console.result(f"JSON schema of a proposal:\n{json.dumps(situation.schema)}\n")
    console.result(f"run: {situation.path}")
    _show_next(console, situation)


def show_trial(console: Console, situation: Situation) -> None:
    """What came of the last trial, beside the best one."""
    last, best = situation.trials[-1], situation.best
    shown = [last] if last is best else [best, last]
    rows = [trial_row(trial, best=trial is best) for trial in shown]
    console.table(TRIALS, rows, title=YARDSTICK, spare=SPARE)
    _show_next(console, situation)


def _show_next(console: Console, situation: Situation) -> None:
    decision, path = situation.decision, str(situation.path)
    found = f"best: trial {situation.best.number}; trials left: {situation.left}"
    if situation.finished:
        console.result(f"{found}\nit is finished:\n    {command('runs', 'show', path)}")
        return
    console.result(f"{found}; next: {decision.move} ({decision.reason})")
    if situation.over:
        console.result(situation.over)
    else:
        console.result(f"try a proposal:\n    {command('drive', 'try', path, '-')}")
    console.result(f"end the search:\n    {command('drive', 'finish', path)}")


def situation_document(situation: Situation) -> Document:
    """JSON of what `show_situation` shows, with all trials."""
    decision = situation.decision
    return {
        "schema": SCHEMA,
        "run": str(situation.path),
        "system": situation.briefing.system,
        "prompt": situation.briefing.prompt,
        "reply_schema": situation.schema,
        "trials": [encode(trial, Trial) for trial in situation.trials],
        "best": situation.best.number,
        "left": situation.left,
        "finished": situation.finished,
        "decision": {
            "trial": decision.trial,
            "move": decision.move.value,
            "reason": decision.reason,
        },
    }


def trial_document(situation: Situation) -> Document:
    """JSON of the last trial, with the number of the best one so far."""
    return encode(situation.trials[-1], Trial) | {
        "run": str(situation.path),
        "best": situation.best.number,
        "left": situation.left,
    }
