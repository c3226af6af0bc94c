"""`python train.py` trains `grocery`; `python train.py --help` lists the other verbs.

The same as the console command `closing-the-loop`, for a checkout that is not installed.
"""

from agents.command_line import console, main, parse

__all__ = ["main", "parse"]

if __name__ == "__main__":
    console()
