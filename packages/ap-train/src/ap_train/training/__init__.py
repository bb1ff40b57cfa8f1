"""Training: the recipe, the batches, the loss, the loop, and the state that it goes on from."""
