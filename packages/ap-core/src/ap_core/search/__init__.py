"""The search: strategists propose, the solver projects onto the budget, held-out data judge."""
