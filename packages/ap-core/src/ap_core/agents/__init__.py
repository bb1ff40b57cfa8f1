"""The agents: a profile of the network, an analysis that proposes, a master that decides.

An LLM is asked through `asking`, what it replies is parsed in `reply`, and prompts lie in
`prompts`, to be read. Without an LLM nothing here is needed.
"""
