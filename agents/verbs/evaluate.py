"""The verb `evaluate`: a trained run and its tuned pairs on other customers, and shadow prices."""

from rich.console import Console

from agents.devices import shards_of
from agents.evaluation.keys import keys_of
from agents.evaluation.prices import price_table, shadow_prices
from agents.files import open_folder, write_json
from agents.report import tables
from agents.report.terminal import show
from agents.runs import run_folder
from agents.runs.pipeline import LEARNED, compared, load_departments
from agents.runs.settings import EvaluateConfig

PRICED = 1024
"""Most stores over which shadow prices are averaged: their backward pass takes memory."""


def run(config: EvaluateConfig, console: Console) -> None:
    shards = shards_of(config.devices, {"stores": config.stores})
    trained = run_folder.read_config(config.run)
    tuned = run_folder.read_heuristics(config.run)
    departments = load_departments(config.run, trained, tuned)
    settings = run_folder.evaluation_settings(
        trained, config.stores, config.periods, config.burn_in
    )
    key = keys_of(trained.seed if config.seed is None else config.seed)["evaluate"]
    scenario = run_folder.read_scenario(config.run)
    summary = compared(settings, scenario.name, scenario.params(), tuned, departments, key, shards)
    best = next(pair for pair in tuned if pair.name == summary["best_heuristic"])
    sizes = {"stores": min(config.stores, PRICED), "burn_in": config.burn_in}
    summary["shadow_prices"] = {
        name: price_table(shadow_prices(key, policy, scenario.params(), **sizes))
        for name, policy in ((LEARNED, departments), (best.name, best.policy))
    }
    write_json(open_folder(config.run) / "evaluation.json", summary)
    show(console, tables.policy_table(summary, config.all_pairs))
    for line in tables.absence_lines(summary, scenario.products):
        console.print(line, soft_wrap=True)
    show(console, tables.price_table(summary, scenario.products))
    console.print(tables.closing_line(summary, config.run), soft_wrap=True)
