"""educe: how much capability a language model shows per FLOP and per labelled example, by elicitation method.

import educe

study = educe.Study.read("study.yaml")
results = educe.run(study, "runs/mine")
"""
