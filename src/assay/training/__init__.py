"""How a network learns: optimizers, schedules, the loop, and checkpoints."""
