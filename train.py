"""`python train.py` trains `grocery`; `python train.py --help` lists the other verbs.

The same as the console command `closing-the-loop`, for a checkout that is not installed.
"""

from agents.start import console, hear_signals

if __name__ == "__main__":
    hear_signals()

from agents.command_line import main, parse

__all__ = ["main", "parse"]

if __name__ == "__main__":
    console()
