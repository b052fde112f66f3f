"""The optimizers by name. The mathematics is in dml/optimizers/."""

# Default learning rate of each optimizer: Table 1 of the paper, but for LARS. With a trust coefficient of
# 0.001 the printed 0.01 moves a layer by 1e-5 of its norm per step and hardly trains.
OPTIMIZERS = {"sgd": 0.01, "sgd_momentum": 0.01, "lars": 1.0}

SCOPES = ("layer", "parameter")
