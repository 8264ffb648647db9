"""How a model is asked: prompts, solvers and the search for prompts."""
