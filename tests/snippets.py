"""The fenced blocks of a Markdown page, with what the comments above them say."""

import re
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
PAGES = (
    REPOSITORY / "README.md",
    REPOSITORY / "CONTRIBUTING.md",
    REPOSITORY / "SECURITY.md",
    REPOSITORY / "CHANGELOG.md",
    *sorted((REPOSITORY / "docs").rglob("*.md")),
)
_BLOCK = re.compile(r"^((?:<!-- [^\n]*? -->\n)*)```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r"<!-- ([a-z ]+?)(?:: (.*?))? -->")


@dataclass(frozen=True, kw_only=True)
class Snippet:
    """One fenced block. `marks` are the comments right above it, such as `<!-- not run: reason -->`, by name."""

    page: Path
    line: int
    language: str
    text: str
    marks: dict[str, str]

    def __str__(self) -> str:
        return f"{self.page.relative_to(REPOSITORY)}:{self.line} {self.language}"


def snippets_of(page: Path) -> list[Snippet]:
    """Every fenced block of a page, in order."""
    text = page.read_text("utf-8")
    return [
        Snippet(
            page=page,
            line=text.count("\n", 0, block.start()) + 1,
            language=block[2],
            text=block[3],
            marks=dict(_MARK.findall(block[1])),
        )
        for block in _BLOCK.finditer(text)
    ]


def commands_of(text: str) -> list[str]:
    """The commands of a shell block: continued lines are joined, comments dropped, and `&&` separates."""
    joined = text.replace("\\\n", " ")
    lines = [line.partition(" #")[0].strip() for line in joined.splitlines() if not line.startswith("#")]
    return [command.strip() for line in lines for command in line.split("&&") if command.strip()]
