"""The peers: versions, what is timed, what it includes, and what of ours it is held against.

Known beforehand: no peer does quite the same. `differs` says where, so that nobody has to guess.
"""

from dataclasses import dataclass

import jax

from benchmarks.peers.environments import ROOT
from benchmarks.workloads import Row
from jaxsim.exact import published

STORES, HORIZON, WIDTH, PARTS, PASSES = 256, 32, 32, 4, 4  # sizes of every training, also ours


@dataclass(frozen=True)
class Peer:
    """One library on one piece of work."""

    name: str
    work: str  # what is done, in a few words
    module: str  # under benchmarks.peers: what its own interpreter runs
    requirements: tuple[str, ...]
    unit: str
    ours: Row
    units_a_period: int  # units in one of our store-periods
    many: bool  # plain Python: one process for each thread, their rates added up
    products: int
    includes: str
    differs: str
    patch: str = "none"
    known_cost: float | None = None  # of a period, published


_JAX = f"jax=={jax.__version__}"
_TRAINING = Row("training iteration", STORES, 10, periods=HORIZON)

PEERS = (
    Peer(
        name="or-gymnasium",
        work="lost sales",
        module="or_gymnasium_store",
        requirements=("or-gymnasium==0.1.0",),
        unit="store-periods",
        ours=Row("lost-sales", 8192, 1, 4, 64),
        units_a_period=1,
        many=True,
        products=1,
        includes="InvManagement-v1 as one stage: Poisson(5) drawn inside, lead time 4, base-stock "
        "25 from the observation; episodes of 1,000 periods",
        differs="one store a process; ours steps 8,192 and keeps a ledger of every unit and cost",
        patch="its constructor takes no settings: the stage's numbers are set on the environment",
        known_cost=published.BASE_STOCK["poisson", 4.0][3][1],
    ),
    Peer(
        name="stockpyl",
        work="backlog",
        module="stockpyl_store",
        requirements=("stockpyl==1.0.2",),
        unit="store-periods",
        ours=Row("backlog", 8192, 1, 4, 64),
        units_a_period=1,
        many=True,
        products=1,
        includes="simulation of one stage: Poisson(5), base-stock 29, holding 1, waiting 4; "
        "1,000 periods a call, consistency checks off",
        differs="its simulator has backlogs only; its shipment lead time 5 is our 4 (the cost "
        "agrees); one store a process",
        known_cost=published.BACKLOG[4.0][3][1],
    ),
    Peer(
        name="simoptlib",
        work="customer choices",
        module="simopt_newsvendor",
        requirements=("simoptlib==1.2.4",),
        unit="customer choices",
        ours=Row("thirty customers", 4096, 10),
        units_a_period=30,
        many=True,
        products=10,
        includes="DYNAMNEWS as it comes: 30 customers, 10 products, Gumbel utilities, each takes "
        "the best that is left",
        differs="its customers choose one after the other; ours in two rounds (first choices, then "
        "once more among what is left), by segments, with slates, orders, pipeline and ledger",
    ),
    Peer(
        name="rejax",
        work="PPO on the store",
        module="rejax_ppo",
        requirements=(_JAX, "-e", f"{ROOT}[gymnax]", "rejax==0.1.3"),
        unit="store-periods",
        ours=_TRAINING,
        units_a_period=1,
        many=False,
        products=10,
        includes="a training iteration through the gymnax adapter, compiled whole: 256 stores, 32 "
        "periods, 4 epochs of 4 minibatches, actor and critic of two layers of 32",
        differs="flat networks, all at once; ours reads product by product with one set of "
        "weights, has two departments and a critic by product, and takes 4 passes for the critic "
        "and one for the departments",
        patch="one number of its first state is cast, so that every iteration is one program",
    ),
    Peer(
        name="stable-baselines3",
        work="PPO on the store",
        module="sb3_ppo",
        requirements=(_JAX, "-e", f"{ROOT}[gymnasium]", "stable-baselines3==2.9.2"),
        unit="store-periods",
        ours=_TRAINING,
        units_a_period=1,
        many=False,
        products=10,
        includes="learn() for one rollout through the vector Gymnasium adapter, and its updates: "
        "same stores, periods, epochs, minibatches and layers",
        differs="as rejax; its networks are torch's, and every period crosses from JAX to NumPy "
        "to torch and back",
        patch="its vector interface is its own: 40 lines pass the Gymnasium one on",
    ),
)
