"""How a model is prompted: prompts, solvers and the search for the best prompt."""
