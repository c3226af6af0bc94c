"""or-gymnasium's InvManagement-v1 as the lost-sales store of Zipkin (2008), under base-stock."""

import numpy as np
import or_gymnasium

from benchmarks.peers.timing import report, settings

LEAD_TIME, LEVEL, MEAN, HOLDING, PENALTY = 4, 25, 5, 1.0, 4.0
PERIODS = 1_000  # of an episode, and of a call


def lost_sales_stage():
    """One stage before a supplier without limits. The constructor takes no settings."""
    env = or_gymnasium.make("InvManagement-v1", disable_env_checker=True)
    stage = env.unwrapped
    stage.periods = stage.num_periods = PERIODS
    stage.I0 = stage.init_inv = np.array([LEVEL])
    stage.num_stages, stage.lead_time = 2, np.array([LEAD_TIME])
    stage.pipeline_length = LEAD_TIME + 1
    stage.supply_capacity = np.array([10**6])
    stage.unit_price, stage.unit_cost = np.zeros(2), np.zeros(2)
    stage.holding_cost, stage.demand_cost = np.array([HOLDING, 0.0]), np.array([PENALTY, 0.0])
    stage.dist_param, stage.discount = {"mu": MEAN}, 1.0
    return env


def main() -> None:
    env, costs = lost_sales_stage(), []

    def episode() -> None:
        seen, _ = env.reset(seed=len(costs))
        total, over = 0.0, False
        while not over:
            position = seen.sum()  # on hand and on order
            seen, reward, _, over, _ = env.step(np.array([max(LEVEL - position, 0)]))
            total -= reward
        costs.append(total / PERIODS)

    report(episode, PERIODS, settings()["repeats"], cost=costs)


if __name__ == "__main__":
    main()
