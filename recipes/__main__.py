"""One recipe alone, one cell, in one process or several.

accelerate launch --config_file accelerate_config.yaml -m educe.recipes iid_sft \
    --model smollm2-135m-instruct --task word_sentiment --examples 64 --seed 0
"""

from educe.recipes.cli import launch

if __name__ == "__main__":
    launch()
