"""What a run works on: the network, its images, its budgets, its scores, its LLM."""
