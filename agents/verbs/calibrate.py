"""The verb `calibrate`: a store from sales."""

from rich.console import Console

from agents.report import tables
from agents.report.terminal import show
from jaxsim.calibration.calibrate import calibrate, portable_query
from jaxsim.calibration.settings import CalibrateConfig


def run(config: CalibrateConfig, console: Console) -> None:
    if config.print_sql:
        print(portable_query(config), end="")
        return
    calibration = calibrate(config, lambda said: show(console, tables.reading_table(said)))
    show(console, tables.calibration_table(calibration))
    command = f"python train.py --scenario {config.out}"
    console.print(f"wrote {config.out}; train on it with: {command}", soft_wrap=True)
