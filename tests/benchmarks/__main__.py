"""Runs one benchmark by name and prints its figures: `python -m tests.benchmarks NAME --json`."""

import argparse
import json
import sys
from importlib import import_module
from pathlib import Path

NAMES = (
    "turn",
    "dialogue",
    "forms",
    "starter",
    "understanding",
    "training",
    "cures",
    "knowledge",
    "decline",
    "retrieval",
    "learning",
    "serve",
    "soak",
    "memory",
    "monitor",
    "recommend",
    "recommend_latency",
)
HERE = Path(__file__).parent


def main() -> None:
    """Parse the command line and run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("name", choices=[n for n in NAMES if (HERE / f"{n}.py").is_file()])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), metavar="DIR")
    parser.add_argument("--json", action="store_true", help="one JSON document and nothing else")
    parser.add_argument("--seed", type=int, help="of the benchmark `learning`; default 0")
    arguments = parser.parse_args()
    module = import_module(f"tests.benchmarks.{arguments.name}")
    seeded = {} if arguments.seed is None else {"seed": arguments.seed}
    figures = module.run(arguments.data, **seeded)
    if arguments.json:
        sys.stdout.write(json.dumps(figures) + "\n")
        return
    if hasattr(module, "table"):
        sys.stdout.write(module.table(figures))
        return
    for name, value in figures.items():
        sys.stdout.write(f"{name}: {value}\n")


if __name__ == "__main__":
    main()
