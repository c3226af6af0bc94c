"""Published answers of inventory theory: cost per period at holding cost 1 and mean demand 5.

Sources: Zipkin (2008) for lost sales, rounded to two decimals; for backlog the exact newsvendor
over the lead time and a period.
"""

LOST_SALES = {
    ("poisson", 4.0): (4.04, 4.40, 4.60, 4.73),
    ("poisson", 9.0): (5.44, 6.09, 6.53, 6.84),
    ("geometric", 4.0): (9.82, 10.24, 10.47, 10.61),
    ("geometric", 9.0): (14.51, 15.50, 16.14, 16.58),
}
"""Optimal cost for lead times 1 to 4, by family of demand and penalty."""

BASE_STOCK = {
    ("poisson", 4.0): ((12, 4.16), (16, 4.64), (20, 4.98), (25, 5.20)),
    ("poisson", 9.0): ((13, 5.55), (19, 6.32), (23, 6.86), (28, 7.27)),
}
"""Best base-stock level and its cost where sales are lost, for lead times 1 to 4."""

CAPPED_BASE_STOCK = {
    ("poisson", 4.0): ((12, 6, 4.065), (17, 5, 4.406), (21, 5, 4.631), (26, 5, 4.798)),
}
"""Best base-stock level with a cap on orders, the cap, and their cost, for lead times 1 to 4."""

BACKLOG = {
    4.0: ((13, 4.6124), (18, 5.5880), (24, 6.4380), (29, 7.1698)),
    9.0: ((14, 5.8694), (20, 7.1230), (26, 8.1864), (32, 9.1510)),
}
"""Optimal base-stock level and its cost where customers wait, for lead times 1 to 4."""

NEWSVENDOR = {"holding": 0.18, "penalty": 0.70, "mean": 50.0, "deviation": 8.0}
NEWSVENDOR_ANSWER = {"level": 56.60396, "cost": 1.99761}
"""Normal demand."""

MNL_WEIGHTS = (1.0, 0.7, 0.4)  # buying nothing weighs 1
MNL_SHARES = ((0.32258, 0.22581, 0.12903), (0.0, 0.33333, 0.19048))
"""Choice shares with all three products, and without the first."""
