"""simoptlib's DYNAMNEWS: customers who choose one after the other among what is left."""

from mrg32k3a.mrg32k3a import MRG32k3a
from simopt.models.dynamnews import DynamNews

from benchmarks.peers.timing import report, settings

DAYS = 200


def main() -> None:
    model = DynamNews()
    model.before_replicate([MRG32k3a()])

    def call() -> None:
        for _ in range(DAYS):
            model.replicate()

    report(call, DAYS * model.factors["num_customer"], settings()["repeats"])


if __name__ == "__main__":
    main()
