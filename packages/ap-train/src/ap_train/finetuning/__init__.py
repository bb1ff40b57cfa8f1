"""Fine-tuning: a pruned network of a run, trained again with the uncut one as its teacher."""
