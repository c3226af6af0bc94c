"""The pictures that a training leaves in its folder."""

from agents.evaluation.keys import keys_of
from agents.evaluation.trajectories import DAYS, record
from agents.learning.config import TrainConfig
from agents.report.pictures import draw_learning, draw_week
from agents.runs.pipeline import Result
from jaxsim import scenarios

LEARNING, WEEK = "learning.png", "week.png"
WEEKS_DAYS = 21
"""Periods of one store's time that the picture shows."""


def draw_run(config: TrainConfig, result: Result) -> None:
    """How the departments learned, and three weeks of one store under them."""
    summary, scenario = result.summary, scenarios.get(config.scenario)
    best = summary["policies"][summary["best_heuristic"]]["profit_mean"]
    draw_learning(result.metrics, best, config.folder / LEARNING)
    key = keys_of(config.seed)["trace"]
    story = record(key, result.departments, scenario.params(), DAYS, config.burn_in)
    draw_week(story.first(WEEKS_DAYS), scenario, config.folder / WEEK)
