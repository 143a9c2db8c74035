"""How a learning rate may change, by name; `learning.work` has the formulas."""

SCHEDULES = ("constant", "warmup", "step", "cosine")
