"""Builds the peers, runs every workload with each in turn for several rounds, and prints what they did."""

import argparse
from pathlib import Path

from bench import peers, report, tables
from bench.measure import measure
from bench.workloads import TITLES, WORKLOADS


def main():
    options = parse_arguments()
    names = options.workload or list(WORKLOADS)
    chosen = peers.available(options.peer)
    if any(WORKLOADS[name].is_static for name in names) and not peers.build_statically(chosen):
        names = [name for name in names if not WORKLOADS[name].is_static]
    if "behind" in names and "ours" in chosen:
        peers.build_inner()
    share = 0.2 if options.quick else 1
    rounds = options.rounds or (2 if options.quick else 5)
    children = options.children or (50 if options.quick else 500)
    results = measure(names, chosen, rounds, share, children)
    facts = report.facts(chosen, rounds, children)
    print("\n".join(facts), end="\n\n")
    print(tables.markdown(tables.medians(results, chosen)), end="\n\n")
    if "ours" in chosen:
        print(tables.markdown(tables.comparison(results, chosen)))
    if options.write:
        report.write(Path(__file__).resolve().parent.parent / "docs", results, chosen, facts)


def parse_arguments():
    parser = argparse.ArgumentParser(prog="bench.sh", description=__doc__)
    parser.add_argument("--rounds", type=int, help="how often each peer runs each workload (default: 5, quick: 2)")
    parser.add_argument("--workload", action="append", choices=WORKLOADS, help="only this one; may be repeated")
    parser.add_argument("--peer", action="append", choices=TITLES, help="only this one; may be repeated")
    parser.add_argument("--children", type=int, help="how many are alive in `alive` (default: 500, quick: 50)")
    parser.add_argument("--quick", action="store_true", help="a fifth of the messages and two rounds: less is certain")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md and docs/benchmarks.svg too")
    options = parser.parse_args()
    if options.rounds is not None and options.rounds < 1:
        parser.error("there must be one round at least")
    if options.children is not None and not 1 <= options.children <= 4000:
        parser.error("there can be 1 to 4000 children")
    return options


main()
