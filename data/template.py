"""Chat templates, rendered in a sandbox that is bounded in work and output: a template is a stranger's program.

The language is that of Transformers' `apply_chat_template`, byte for byte. Each block, call, filter and operation takes
its cost from a budget before it runs, so that the same template stops at the same place on every machine. Costs are in
units of about 100 ns: one for a step, one for four characters.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache, update_wrapper
from typing import Any

from jinja2 import TemplateError, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.environment import Template
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.runtime import Context, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment, SandboxedFormatter
from jinja2.utils import Namespace, pass_context, pass_eval_context

from educe.data import template_costs as costs
from educe.data.errors import UserError, reason_of

# The largest published templates have about 30,000 characters. A prompt of 500,000 takes 0.3 to 0.8 million.
MAX_TEMPLATE, BUDGET = 1 << 17, 2_000_000
# What templates that print today's date print, so that a prompt is the same tomorrow.
TODAY = datetime(2026, 1, 1)
# No widths, of which C libraries make as many characters.
_DATE_FORM = re.compile(r"(?:[^%]|%[-a-zA-Z%]){0,100}")


def render_template(template: str, *, model: str, **values: Any) -> str:
    """The text that a chat template makes of `values`, which are plain (text, numbers, lists, mappings).

    UserError, naming the `model`, where the template refuses the values, fails, or takes more than its budget.
    """
    try:
        compiled = _compiled(template)
        environment = compiled.environment
        assert isinstance(environment, _Bounded)
        environment.left = BUDGET
        # Not `render`, which rewrites the traceback of an error.
        return "".join(compiled.root_render_func(compiled.new_context(values)))
    except costs.Spent:
        raise UserError(
            f"the chat template of {model!r} does too much work or writes too much text; use template: completion"
        ) from None
    except TemplateError as error:
        raise UserError(
            f"the chat template of {model!r} refuses the prompt ({reason_of(error)}); use template: completion"
        ) from None
    except Exception as error:  # a program of a stranger may fail in any way
        raise UserError(
            f"the chat template of {model!r} fails ({type(error).__name__}: {reason_of(error)}); "
            "use template: completion"
        ) from None


@lru_cache(maxsize=64)
def _compiled(template: str) -> Template:
    if len(template) > MAX_TEMPLATE:
        raise costs.Spent
    environment = _Bounded(trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols])
    return environment.from_string(template)


class _Generation(Extension):
    """`{% generation %}`, which marks what an assistant said; here it is the text alone."""

    tags = frozenset({"generation"})  # type: ignore[assignment]

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("_written"), [], [], body).set_lineno(line)

    @pass_eval_context
    def _written(self, context: nodes.EvalContext, caller: Macro) -> str:
        text: str = caller()
        return text


class _Generator(CodeGenerator):
    """Python code for a template, in which every block says its cost and every operation asks the environment."""

    def blockvisit(self, nodes: Iterable[nodes.Node], frame: Frame) -> None:
        body = list(nodes)
        self.writeline(f"environment.spend({1 + sum(map(_cost, body))})")
        super().blockvisit(body, frame)

    def visit_For(self, node: nodes.For, frame: Frame) -> None:
        if node.test is not None:  # it is tried for items that the body never sees
            spend = nodes.Call(
                nodes.EnvironmentAttribute("spend"), [nodes.Const(10 + _cost(node.test))], [], None, None
            )
            node.test = nodes.And(spend, node.test).set_lineno(node.lineno, override=False)
            node.test.set_environment(self.environment)
        super().visit_For(node, frame)

    def visit_ScopedEvalContextModifier(self, node: nodes.ScopedEvalContextModifier, frame: Frame) -> None:
        self.fail("chat templates cannot switch autoescape", node.lineno)

    def _output_child_pre(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:
        self.write("environment.text(")

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:
        self.write("environment.joined((")
        for each in node.nodes:
            self.visit(each, frame)
            self.write(", ")
        self.write("))")

    def visit_Compare(self, node: nodes.Compare, frame: Frame) -> None:
        sides = [node.expr, *(each.expr for each in node.ops)]
        short = len(sides) == 2 and node.ops[0].op not in ("in", "notin")
        free = short and any(isinstance(side, nodes.Const) for side in sides)  # compared as far as the shorter side
        self.write("(")
        for side, operand in zip(sides, [None, *node.ops], strict=True):
            if operand is not None:
                self.write(f" {_OPERATORS[operand.op]} ")
            self._weighed(side, frame) if not free else self.visit(side, frame)
        self.write(")")

    def visit_List(self, node: nodes.List, frame: Frame) -> None:
        self._weighing(super().visit_List, node, frame)

    def visit_Dict(self, node: nodes.Dict, frame: Frame) -> None:
        self._weighing(super().visit_Dict, node, frame)

    def visit_Tuple(self, node: nodes.Tuple, frame: Frame) -> None:
        if node.ctx == "load":
            self._weighing(super().visit_Tuple, node, frame)
        else:
            super().visit_Tuple(node, frame)

    def visit_Getitem(self, node: nodes.Getitem, frame: Frame) -> None:
        if isinstance(node.arg, nodes.Slice):
            self.write("environment.sliced(")
            super().visit_Getitem(node, frame)
            self.write(")")
        else:
            super().visit_Getitem(node, frame)

    def _weighed(self, node: nodes.Expr, frame: Frame) -> None:
        if isinstance(node, nodes.Const):
            self.visit(node, frame)
        else:
            self._weighing(self.visit, node, frame)

    def _weighing(self, visit: Callable[..., Any], node: nodes.Expr, frame: Frame) -> None:
        self.write("environment.weighed(")
        visit(node, frame)
        self.write(")")


_OPERATORS = {
    "eq": "==", "ne": "!=", "gt": ">", "gteq": ">=", "lt": "<", "lteq": "<=", "in": "in", "notin": "not in",
}  # fmt: skip


def _cost(node: nodes.Node) -> int:
    """The cost of a statement without the blocks inside it, or of an expression: nodes and characters."""
    total, rest = 0, [node]
    while rest:
        each = rest.pop()
        text = getattr(each, "data", None) or getattr(each, "value", None)
        total += 1 + (len(text) // 4 if isinstance(text, str) else 0)
        rest.extend(child for child in each.iter_child_nodes() if not isinstance(child, nodes.Stmt))
        if isinstance(each, nodes.If):
            rest.extend(other.test for other in each.elif_)
    return total


class _Bounded(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, in which everything that a template does takes from `left`, the rest of its budget."""

    code_generator_class = _Generator
    intercepted_binops = frozenset(ImmutableSandboxedEnvironment.default_binop_table)

    def __init__(self, **options: Any) -> None:
        self.left = BUDGET
        super().__init__(**options)
        self.filters = {
            name: _bounded_filter(name, each) for name, each in self.filters.items() if name not in costs.NO_FILTERS
        }
        self.filters["tojson"] = _bounded_filter("tojson", _tojson)
        known: dict[str, Any] = self.tests
        self.tests |= {name: _bounded_test(name, known[name]) for name in costs.WEIGHED_TESTS | costs.NUMBER_TESTS}
        del self.globals["lipsum"]  # random text
        self.globals.update(
            raise_exception=_raise_exception,
            strftime_now=_strftime_now,
            dict=costs.TemplateDict(),
            namespace=_Namespace,
        )

    def spend(self, cost: int) -> bool:
        """Take a cost from the budget."""
        self.left -= cost
        if self.left < 0:
            raise costs.Spent
        return True

    def weighed(self, value: Any) -> Any:
        """The value, whose size is taken from the budget."""
        self.spend(costs.size(value, self.left))
        return value

    def text(self, value: Any) -> str:
        """A value as it is written into the prompt."""
        self.spend(costs.size(value, self.left))
        return str(value)

    def joined(self, values: tuple[Any, ...]) -> str:
        """What `~` makes."""
        return "".join([self.text(value) for value in values])

    def sliced(self, value: Any) -> Any:
        """A slice, of which the items are not copied."""
        self.spend(1 + (len(value) if hasattr(value, "__len__") else 0))
        return value

    def counted(self, values: Iterator[Any], cost: int) -> Iterator[Any]:
        """What a lazy filter gives, each at a cost."""
        for each in values:
            self.spend(cost)
            yield each

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if left.__class__ is str and right.__class__ is str and operator == "+":
            self.spend((len(left) + len(right)) // 4 + 1)
            return left + right
        self.spend(costs.of_operation(operator, left, right, self.left))
        return self.weighed(super().call_binop(context, operator, left, right))

    def call(self, context: Context, called: Any, /, *given: Any, **named: Any) -> Any:
        if costs.is_join(called):
            given = tuple(list(self.counted(each, 1)) if hasattr(each, "__next__") else each for each in given)
        for each in (*given, *named.values()):
            self.spend(costs.size(each, self.left))
        self.spend(costs.of_call(called, given, self.left))
        result = super().call(context, called, *given, **named)
        self.spend(costs.top_size(result))
        return result

    def is_safe_attribute(self, owner: Any, name: str, value: Any) -> bool:
        return costs.may_read(owner, name) and super().is_safe_attribute(owner, name, value)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        if super().wrap_str_format(value) is None:
            return None
        form, whole = str(value.__self__), value.__name__ == "format_map"

        def formatted(*given: Any, **named: Any) -> str:
            return _Formatter(self).vformat(form, () if whole else given, given[0] if whole else named)

        return update_wrapper(formatted, value)


class _Formatter(SandboxedFormatter):
    """`str.format`, in which each field takes from the budget of its environment, and no width is large."""

    _env: _Bounded

    def convert_field(self, value: Any, conversion: Any) -> Any:
        return super().convert_field(self._env.weighed(value), conversion)

    def format_field(self, value: Any, format_spec: str) -> str:
        costs.check_width(format_spec)
        text: str = super().format_field(self._env.weighed(value), format_spec)
        self._env.spend(costs.top_size(text))
        return text


def _bounded_filter(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    kind = getattr(getattr(function, "jinja_pass_arg", None), "name", None)

    @pass_context  # which also keeps it from being applied to constants when the template is compiled
    def bounded(context: Context, value: Any, /, *given: Any, **named: Any) -> Any:
        environment = context.environment
        assert isinstance(environment, _Bounded)
        lazy = name in costs.LAZY_FILTERS
        if hasattr(value, "__next__") and not lazy and name not in costs.FREE_FILTERS:
            value = list(environment.counted(value, 1))
        cost = costs.of_filter(name, value, given, named, environment.left)
        environment.spend(cost)
        if lazy and hasattr(value, "__next__"):
            value = environment.counted(value, cost)
        first = {"context": context, "eval_context": context.eval_ctx, "environment": environment}.get(kind or "")
        result = function(*([] if first is None else [first]), value, *given, **named)
        environment.spend(costs.top_size(result))
        return result

    return bounded


def _bounded_test(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @pass_context
    def bounded(context: Context, *given: Any) -> Any:
        environment = context.environment
        assert isinstance(environment, _Bounded)
        if name in costs.NUMBER_TESTS and not all(isinstance(each, int | float) for each in given):
            raise SecurityError(f"{name!r} is a test of numbers")
        for each in given:
            environment.weighed(each)
        return function(*given)

    return bounded


def _raise_exception(message: Any) -> None:
    raise TemplateError(message)


def _strftime_now(form: str) -> str:
    if not _DATE_FORM.fullmatch(form):
        raise SecurityError(f"{form[:100]!r} is no usual form of a date")
    return TODAY.strftime(form)


def _tojson(
    value: Any, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False
) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


class _Namespace(Namespace):
    """A namespace without names that begin with an underscore."""

    def __init__(*given: Any, **named: Any) -> None:
        self, *rest = given
        values: Mapping[str, Any] = dict(*rest, **named)
        for name in values:
            _Namespace._check(name)
        Namespace.__init__(self, values)

    def __setitem__(self, name: str, value: Any) -> None:
        _Namespace._check(name)
        Namespace.__setitem__(self, name, value)

    @staticmethod
    def _check(name: Any) -> None:
        if isinstance(name, str) and name.startswith("_"):
            raise SecurityError(f"a namespace cannot hold {name!r}, which begins with an underscore")
