"""The words, the contracts and the flow of AgenticPruner; free of torch, so that importing it is instant."""
