"""Whether policies answer with the signs that theory predicts."""

import pandas as pd

from agents.evaluation.simulation import interval
from agents.evaluation.statistics import apart
from agents.study.results_tables import PREDICTED, Effect, values_of


def verdicts(found: pd.DataFrame, policy: str) -> dict[Effect, int]:
    """By answer on one store: 1 as predicted, -1 against the theory, 0 not to be told from 0."""
    return {
        effect: sign * apart(interval(values_of(found, policy, effect))[1])
        for effect, sign in PREDICTED.items()
    }
