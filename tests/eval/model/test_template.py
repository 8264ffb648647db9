"""Chat templates of strangers: what is legitimate renders byte for byte as in Transformers, the rest stops early."""

import time
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerBase

from educe.data import template as module
from educe.data.errors import UserError
from educe.data.example import Message
from educe.data.template import render_template
from educe.eval.model.encode import chat_text
from educe.eval.model.load import load_model
from educe.eval.model.model import Model

SECONDS = 8.0  # on the slowest machine; a hostile template takes about one
TURNS = [
    Message(role="system", content="Be  brief.\n"),
    Message(role="user", content="Is 3 <odd> & 'prime'? \u00e9\U0001f600"),
    Message(role="assistant", content="<think>\nhm\n</think>\n\n yes "),
    Message(role="user", content="And 4?"),
]

# What published templates consist of, one file a kind.
LEGITIMATE = {path.stem: path.read_text("utf-8") for path in sorted((Path(__file__).parent / "templates").iterdir())}


@pytest.fixture(scope="module")
def tiny() -> Model:
    return load_model("tiny-random")


def with_template(model: Model, template: str) -> Model:
    tokenizer = copy(model.tokenizer)
    tokenizer.chat_template = template
    return replace(model, tokenizer=tokenizer, name="stranger")


def transformers_text(tokenizer: PreTrainedTokenizerBase, template: str, **options: Any) -> str:
    turns = [{"role": each.role, "content": each.content} for each in TURNS]
    text = tokenizer.apply_chat_template(
        turns, chat_template=template, tokenize=False, enable_thinking=False, **options
    )
    return str(text)


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("name", LEGITIMATE)
def test_a_legitimate_template_renders_as_in_transformers(tiny: Model, name: str, last: bool) -> None:
    theirs = transformers_text(tiny.tokenizer, LEGITIMATE[name], add_generation_prompt=last)
    ours = chat_text(with_template(tiny, LEGITIMATE[name]), TURNS, add_generation_prompt=last)
    assert ours == theirs and len(ours) > 10


def test_the_template_of_the_tiny_model_renders_as_in_transformers(tiny: Model) -> None:
    template = tiny.tokenizer.get_chat_template()
    assert chat_text(tiny, TURNS, add_generation_prompt=True) == transformers_text(
        tiny.tokenizer, template, add_generation_prompt=True
    )


@pytest.mark.model
def test_the_template_of_smollm2_renders_as_in_transformers() -> None:
    model = load_model("smollm2-135m-instruct")
    for turns in (TURNS, TURNS[1:]):
        plain = [{"role": each.role, "content": each.content} for each in turns]
        theirs = model.tokenizer.apply_chat_template(plain, tokenize=False, add_generation_prompt=True)
        assert chat_text(model, turns, add_generation_prompt=True) == theirs


def test_todays_date_is_always_the_same(tiny: Model) -> None:
    for form, date in (("%d %b %Y", "01 Jan 2026"), ("%Y-%m-%d", "2026-01-01"), ("%B %-d", "January 1")):
        text = render_template(f"{{{{ strftime_now('{form}') }}}}", model="m")
        assert text == date
    with pytest.raises(UserError, match="no usual form of a date"):
        render_template("{{ strftime_now('%1000000000d') }}", model="m")


def nested(depth: int, body: str, over: str = "range(100000)") -> str:
    return "".join(f"{{% for a{n} in {over} %}}" for n in range(depth)) + body + "{% endfor %}" * depth


DOUBLED = "{% set ns = namespace(x='ab') %}{% for i in range(60) %}{% set ns.x = EXPR %}{% endfor %}{{ ns.x|length }}"
HOSTILE = {
    "nested ranges": nested(3, ""),
    "ten nested loops": nested(10, "{{ a9 }}"),
    "loops over long text": "{% set t = 'a' * 10000 %}" + nested(10, "", "t"),
    "loops with tests that fail": nested(2, "{% for b in range(100000) if false %}x{% endfor %}"),
    "recursive loop": "{% for a in [[1]] recursive %}{{ loop([[1]]) }}{{ loop([[1]]) }}{% endfor %}",
    "long text": "{{ 'a' * 10**10 }}",
    "long text from the left": "{{ 10**10 * 'a' }}",
    "long list": "{{ ([1] * 10**9)|length }}",
    "power": "{{ 9**99999999 }}",
    "squares": "{% set ns = namespace(x=9) %}{% for i in range(99) %}{% set ns.x = ns.x * ns.x %}{% endfor %}",
    "numbers from hexadecimals": "{% set x = ('f' * 900000)|int(0, 16) %}{{ x // (x // 3) }}",
    "centre": "{{ 'a'|center(10**9) }}",
    "centre method": "{{ 'a'.center(10**9) }}",
    "zfill": "{{ '1'.zfill(10**9) }}",
    "tabs": "{{ ('\t' * 1000).expandtabs(10**7) }}",
    "format filter": "{{ '%1000000000d'|format(1) }}",
    "percent": "{{ '%1000000000d' % 1 }}",
    "percent with a star": "{{ '%*d' % (10**9, 1) }}",
    "percent with a key": "{{ '%((a))999999999d' % {'(a)': 1} }}",
    "percent in a test": "{{ '%1000000000d' is odd }}",
    "percent in another test": "{{ '%1000000000d' is divisibleby(1) }}",
    "str.format": "{{ '{:1000000000}'.format(1) }}",
    "str.format nested": "{{ '{:{w}}'.format(1, w=10**9) }}",
    "str.format many": "{{ ('{0}' * 10000).format('a' * 100000) }}",
    "str.format of attributes": "{{ '{0.__class__.__mro__}'.format(1) }}",
    "doubled by +": DOUBLED.replace("EXPR", "ns.x + ns.x"),
    "doubled by ~": DOUBLED.replace("EXPR", "ns.x ~ ns.x"),
    "doubled by replace": DOUBLED.replace("EXPR", "ns.x.replace('a', 'aa').replace('b', 'bb')"),
    "doubled by replace filter": DOUBLED.replace("EXPR", "ns.x|replace('', 'ab')"),
    "doubled by join": DOUBLED.replace("EXPR", "ns.x.join([ns.x, ns.x])"),
    "joined lazily": "{% set t = 'a' * 100000 %}{{ range(90000)|map('string')|map('default')|join(t) }}",
    "joined defaults": "{% set t = 'a' * 100000 %}{{ range(90000)|map(attribute='q', default=t)|join }}",
    "joined by a method": "{% set t = 'a' * 100000 %}{{ t.join(range(90000)|map('string')) }}",
    "shared lists": DOUBLED.replace("EXPR", "[ns.x, ns.x]") + "{{ ns.x }}",
    "shared mappings": DOUBLED.replace("EXPR", "{'a': ns.x, 'b': ns.x}") + "{{ ns.x|tojson }}",
    "shared tuples as keys": DOUBLED.replace("EXPR", "(ns.x, ns.x)") + "{{ {ns.x: 1} }}",
    "shared namespaces": "{% set ns = namespace() %}"
    + "".join(f"{{% set n{n} = namespace() %}}" for n in range(40))
    + "".join(f"{{% set n{n}.x = [n{n + 1}, n{n + 1}] %}}" for n in range(39))
    + "{{ n0 }}",
    "deep tuples": DOUBLED.replace("EXPR", "(ns.x,)").replace("60", "90000") + "{{ {ns.x: 1} }}",
    "recursive macro": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "branching macro": "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
    "mutual macros": "{% macro f(n) %}{{ g(n) }}{% endmacro %}{% macro g(n) %}{{ f(n) }}{% endmacro %}{{ f(1) }}",
    "block of itself": "{% block a %}{{ self.a() }}{% endblock %}",
    "much output": nested(2, "a" * 1000),
    "output without loops": "{% set t = 'a' * 1000000 %}" + "{{ t }}" * 5000,
    "output in a block": "{% set t = 'a' * 1000000 %}{% set s %}" + "{{ t }}" * 5000 + "{% endset %}",
    "lorem ipsum": "{{ lipsum(n=10**7) }}",
    "slices": "{{ []|slice(10**9)|list }}",
    "batches": "{{ [1]|batch(10**9, 0)|list }}",
    "round": "{{ 1.5|round(10**9, 'floor') }}",
    "round text": "{{ ('a' * 100000)|round(9, 'floor') }}",
    "indent": "{{ ('a\n' * 1000)|indent(10**7) }}",
    "json indent": "{{ [[1]]|tojson(indent=10**9) }}",
    "json separators": "{% set t = 'a' * 1000000 %}{{ range(9999)|list|tojson(separators=(t, t)) }}",
    "wrapped words": "{{ ('a' * 1000000)|wordwrap(1) }}",
    "links": "{{ ('http://a ' * 99999)|urlize }}",
    "tags": "{{ ('<!--' * 99999)|striptags }}",
    "sums of lists": "{% set l = [[1]] * 30000 %}{{ l|sum(start=[])|length }}",
    "comparisons": "{% set t = 'a' * 900000 %}{% set u = t ~ 'b' %}{% set v = t ~ 'b' %}"
    + nested(2, "{% if u == v %}{% endif %}"),
    "searches": "{% set t = 'a' * 900000 %}" + nested(2, "{% if 'b' in t %}{% endif %}"),
    "counts": "{% set t = 'a' * 900000 %}" + nested(2, "{% set x = t.count('b') %}"),
    "slices of long lists": "{% set l = range(90000)|list %}" + nested(2, "{% set x = l[1:] %}"),
    "selections": nested(2, "{% set x = range(100000)|select('odd')|list %}"),
    "selections by attribute": nested(2, "{% set x = range(100000)|selectattr('q')|list %}"),
    "long attributes": "{% set p = 'a.' * 50000 %}{% set x = range(99999)|map(attribute=p, default=1)|list %}",
    "sorts": nested(2, "{% set x = range(100000)|list|sort %}"),
    "many conditions": nested(2, "{% if false %}" + "{% elif 1 > 2 %}" * 2000 + "{% endif %}"),
    "long expression": nested(2, "{% set x = [" + "0," * 9000 + "] %}"),
    "deep brackets": "{{ " + "(" * 50000 + "1" + ")" * 50000 + " }}",
    "deep negations": "{{ " + "not " * 30000 + "1 }}",
    "long sum": "{{ " + "1+" * 30000 + "1 }}",
    "many loops": nested(40, "x", "[1]"),
    "many brackets in text": "{{ '" + "(" * 100000,
    "open comment": "{# " * 40000,
    "over the size": "x" * 200_000,
    "internals": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "internals by filter": "{{ (''|attr('__class__')).x }}",
    "internals by an attribute of each": "{{ (messages|map(attribute='__class__')|first).x }}",
    "internals by brackets": "{{ ''['__class__'].x }}",
    "internals of functions": "{{ raise_exception.__globals__.x }}",
    "internals of the loop": "{% for a in [1] %}{{ loop.__init__.__globals__.x }}{% endfor %}",
    "internals of a namespace": "{{ namespace(__class__=1) }}",
    "changes to the messages": "{{ messages.append(1) }}",
    "other templates": "{% include '/etc/passwd' %}",
    "other modules": "{% import 'os' as os %}",
    "bytes": "{{ ('a' * 100).encode().center(10**9) }}",
    "number methods": "{{ (1).to_bytes(10**9, 'big') }}",
    "translated": "{{ ('a' * 1000000).translate({97: 'a' * 1000000}) }}",
    "wrong types": "{{ messages + 1 }}",
    "division by zero": "{{ 1 // 0 }}",
    "long message": "{{ raise_exception('a\n' * 100000) }}",
    "endless list": DOUBLED.replace("EXPR", "ns.x + [1]").replace("60", "99999").replace("'ab'", "[]"),
    "syntax": "{% for %}",
    "markup": "{{ ('<' * 400000)|e|e|e|e|e|e|e|e }}",
    "autoescape": "{% autoescape true %}{{ '<' }}{% endautoescape %}",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_template_is_stopped(tiny: Model, name: str) -> None:
    """Nested loops, and much of the rest, ran for hours or filled the memory before rendering had a budget."""
    started = time.perf_counter()
    with pytest.raises(UserError) as stopped:
        chat_text(with_template(tiny, HOSTILE[name]), TURNS, add_generation_prompt=True)
    assert time.perf_counter() - started < SECONDS
    line = str(stopped.value)
    assert line.startswith("the chat template of 'stranger' ") and "\n" not in line and len(line) < 600


def test_a_long_prompt_is_well_within_the_budget(tiny: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """128 shots and 500,000 characters, more than any bundled context, take at most half of the budget."""
    monkeypatch.setattr(module, "BUDGET", module.BUDGET // 2)
    turns = [TURNS[0], *(Message(role=("user", "assistant")[n % 2], content="word " * 390) for n in range(257))]
    for name in ("chatml", "llama", "gemma", "mistral", "thinking", "generation", "zephyr"):
        assert len(chat_text(with_template(tiny, LEGITIMATE[name]), turns, add_generation_prompt=True)) > 500_000


def test_the_budget_is_each_prompts_own(tiny: Model) -> None:
    model = with_template(tiny, "{% for a in range(90000) %}{% endfor %}x{{ messages[0].content }}")
    assert {chat_text(model, TURNS, add_generation_prompt=True) for _ in range(60)} == {"xBe  brief.\n"}
