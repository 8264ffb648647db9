"""The columns of results.csv, results.parquet and `educe results`, with what each means."""

# What of a measurement they hold.
OF_MEASUREMENT = {
    "study": ("study", "name of the study"),
    "model": ("model", "name of the model"),
    "task": ("task", "name of the task"),
    "recipe": ("recipe", "recipe with the settings that differ from its defaults"),
    "examples": ("examples", "labelled examples allowed: training rows, or shots of a prompt"),
    "seed": ("seed", "random seed"),
    "score": ("score", "mean over the test items, between 0 and 1"),
    "low": ("low", "lower end of the score's interval"),
    "high": ("high", "upper end of the score's interval"),
    "n": ("n", "number of test items"),
    "chance": ("chance", "expected score of a random answer"),
    "train_flops": ("spend.train_flops", "useful FLOPs of the training that was kept"),
    "search_flops": ("spend.search_flops", "useful FLOPs of everything that was tried to choose"),
    "flops_per_answer": ("spend.flops_per_answer", "useful FLOPs of one answer, mean over the test items"),
    "trainable_parameters": ("spend.trainable_parameters", "number of parameters trained"),
    "elicitation_seconds": (
        "spend.seconds",
        "wall-clock seconds of training and search; loading the model and the test are not in it",
    ),
    "labelled_examples": ("spend.labelled_examples", "labels read: training rows, shots and dev rows"),
    "metric": ("metric", "what the score is"),
    "interval": ("interval", "kind and level of the interval"),
}
# Of runs whose labels were measured in bits, per example and per trainable parameter.
OF_BITS = {
    "edl_per_example": ("examples", "excess description length per example, in bits, where it was measured"),
    "edl_per_parameter": ("spend.trainable_parameters", "the same per trainable parameter"),
}
# What they hold of models whose truth is known, on the task that these were made for; empty for all others.
OF_ORGANISM = {
    "kind": "kind of organism or twin",
    "hides": "whether it hides something",
    "floor": "certified score of the locked organism",
    "ceiling": "certified score of the unlocked organism",
    "gap_recovered": "(score - floor) / (ceiling - floor), where it hides something and zero-shot has a score",
}
RESULT_COLUMNS = {
    **{name: meaning for name, (_, meaning) in OF_MEASUREMENT.items()},
    **{name: meaning for name, (_, meaning) in OF_BITS.items()},
    **OF_ORGANISM,
    "capability": "propensity, self-elicited or current (docs/questions.md); empty for controls and measures",
    "estimand": "what the interval is about: runs (this one, other items), or recipe, where the seed changes nothing",
    "error": "why the cell has no score",
}
