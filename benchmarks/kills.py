"""kill -9 at 20 random moments of a search with 30 trials; each time `--resume` must end alike.

The moments are drawn between the start of the process and its usual end; a run that ended before
its moment does not count, and another moment is drawn. A run that was killed before it had written
its record is started again. Equal: whether plan.json has the same bytes as that of an undisturbed
run.
"""

import random
import signal
import subprocess
import sys
import tempfile
import time
from itertools import count
from pathlib import Path

from benchmarks.output import Row, show

AP = Path(sys.executable).with_name("ap")
ASKED = (
    "prune", "--model", "test_resnet", "--num-classes", "10", "--input-size", "32",
    "--weights", "random", "--target-macs", "50%", "--data", "digits", "--strategist", "tpe",
    "--trials", "30", "--quiet",
)  # fmt: skip
KILLS = 20


def whole(place: Path) -> float:
    """Seconds of an undisturbed run."""
    start = time.perf_counter()
    subprocess.run([AP, *ASKED, "--output", place], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def killed(place: Path, moment: float) -> int | None:
    """Kill a run at a moment; returns how many trials it had written, None if it ended before."""
    running = subprocess.Popen(
        [AP, *ASKED, "--output", place], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        running.wait(moment)
        return None
    except subprocess.TimeoutExpired:
        running.send_signal(signal.SIGKILL)
        running.wait()
    if running.returncode != -signal.SIGKILL:
        return None
    lines = place / "trials.jsonl"
    return lines.read_bytes().count(b"\n") if lines.exists() else 0


def resumed(place: Path) -> bytes:
    """Go on with a run, or start it anew if it had not begun; returns its plan."""
    begun = (place / "run.json").exists()
    arguments = ("prune", "--resume", place, "-q") if begun else (*ASKED, "--output", place)
    subprocess.run([AP, *arguments], check=True, stdout=subprocess.DEVNULL)
    return (place / "plan.json").read_bytes()


def main() -> None:
    """Twenty kills."""
    chance = random.Random(0)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        seconds = min(whole(home / f"whole-{number}") for number in range(2))
        expected = (home / "whole-0" / "plan.json").read_bytes()
        for number in count():
            if len(rows) == KILLS:
                break
            moment = chance.uniform(0, seconds)
            place = home / f"killed-{number}"
            trials = killed(place, moment)
            if trials is None:
                continue
            rows.append(
                {
                    "kill": len(rows),
                    "after s": moment,
                    "trials on disk": trials,
                    "equal": resumed(place) == expected,
                }
            )
    equal = sum(bool(row["equal"]) for row in rows)
    show("kills", rows, about=__doc__ or "", note=f"{equal} of {KILLS} equal")


if __name__ == "__main__":
    main()
