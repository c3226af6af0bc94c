"""The verb `export`."""

from rich.console import Console

from agents.runs.export import export_run
from agents.runs.settings import ExportConfig


def run(config: ExportConfig, console: Console) -> None:
    export_run(config)
    console.print(f"wrote {config.out}; agents.runs.serving.load reads it", soft_wrap=True)
