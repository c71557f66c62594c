"""Exchanges messages with a program, and says clause by clause whether it follows a dialect's specification."""

import argparse
import importlib
import subprocess
import sys

from running import Program, reserve_channel_number, run


def main():
    options = parse_arguments()
    # Values are nested deeply.
    sys.setrecursionlimit(10_000)
    reserve_channel_number()
    # A program may well complain of what it is sent here.
    Program.errors = subprocess.DEVNULL if options.short else None
    dialect = importlib.import_module({"native": "native", "node": "node_json"}[options.dialect])
    context = dialect.Context(options.role, [options.program, *options.arguments], options.seconds)
    sys.exit(0 if run(dialect.clause, context, options.short, options.only) else 1)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dialect", choices=["native", "node"], default="native", help="default: native")
    parser.add_argument("--role", choices=["child", "parent"], default="child", help="the program's (default: child)")
    parser.add_argument("--only", default="", help="only clauses whose title has this text in it")
    parser.add_argument("--short", action="store_true", help="print only what failed, and the sums")
    parser.add_argument("--seconds", type=float, default=20, help="how long each wait may take (default: 20)")
    parser.add_argument("program", help="the program, which plays the role that README.md describes")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if options.seconds <= 0:
        parser.error("the seconds must be more than none")
    return options


main()
