"""stockpyl's simulation of one stage with backlogs, under the best base-stock level."""

from stockpyl.sim import simulation
from stockpyl.supply_chain_network import single_stage_system

from benchmarks.peers.timing import report, settings

PERIODS = 1_000


def main() -> None:
    # Its orders are placed after the day's demand is seen: a lead time of 5 is one of 4 here.
    stage = single_stage_system(
        holding_cost=1, stockout_cost=4, demand_type="P", mean=5, policy_type="BS",
        base_stock_level=29, shipment_lead_time=5,
    )  # fmt: skip
    costs = []

    def call() -> None:
        cost = simulation(
            stage, PERIODS, rand_seed=len(costs), progress_bar=False, consistency_checks="N"
        )
        costs.append(cost / PERIODS)

    report(call, PERIODS, settings()["repeats"], cost=costs)


if __name__ == "__main__":
    main()
