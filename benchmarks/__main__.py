"""Run the benchmarks that are named; without names, all of them."""

import argparse
from importlib import import_module

NAMES = (
    "budgets", "rules", "kills", "speed", "scaling", "training", "recovery", "recipes", "agents",
    "prompts", "depth", "exports", "latency", "latency_profile",
    "latency_budgets", "latency_fit", "allocator",
)  # fmt: skip


def main() -> None:
    """One after the other, as they were named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    names = parser.parse_args().names
    unknown = sorted(set(names) - set(NAMES))
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}")
    for name in names or NAMES:
        import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main()
