"""The templates of the report's pages, and how values are written in them."""

from pathlib import Path

import jinja2

from educe.data.display import visible
from educe.eval.analysis.conditions import name_of
from educe.eval.analysis.formatting import format_p_value
from educe.eval.report import text
from educe.eval.report.comparisons import comparison_odds

_FILTERS = (
    text.bits_text, text.count, text.estimate_text, text.flops, text.gain_text, text.interval_text, name_of,
    text.ratio_text, text.runs_text, text.score_text, text.share_text, text.shares_text, text.signal_text, text.signed,
    comparison_odds, format_p_value,
)  # fmt: skip


def template(name: str) -> jinja2.Template:
    """A template of this folder, in which every value is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        finalize=_shown,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {each.__name__: each for each in _FILTERS}
    return environment.get_template(name)


def _shown(value: object) -> object:
    """Text without characters that HTML has not, or that change how the text around them reads. Escaped later."""
    return visible(value, lines=True) if type(value) is str else value
