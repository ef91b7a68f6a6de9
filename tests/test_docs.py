"""The documentation is true: its code runs and prints what it says, its links lead somewhere.

In README.md and docs/*.md the ```python blocks of a page run in order, in one namespace.  A
```text or ```output block right after one is what it prints (`...` stands for anything).  A block
marked ```python no-run: and a reason is only compiled.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [path for path in [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))] if path.exists()]
EXAMPLES = sorted(ROOT.glob("examples/[!_]*.py"))

FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^`\n]*)\n(?P<body>.*?)^ *```[ ]*$", re.M | re.S)
LINK = re.compile(r"""\]\(<?([^)\s>]+)|^\[[^\]]+\]:\s*(\S+)|(?:src|href)=["']([^"']+)""", re.M)


class Block(NamedTuple):
    """A block of Python on a page."""

    source: str
    line: int
    no_run: str | None
    output: str | None


def dedented(fence: re.Match[str]) -> str:
    """Return the body of a block, which a list may indent."""
    return re.sub(f"^{fence['indent']}", "", fence["body"], flags=re.M)


def blocks(text: str) -> Iterator[Block]:
    """Yield the blocks of Python of a page, each with the output that follows it."""
    fences = list(FENCE.finditer(text))
    for fence, after in zip(fences, [*fences, None][1:], strict=True):
        language, _, info = fence["info"].strip().partition(" ")
        if language != "python":
            continue
        if info and not re.fullmatch(r"no-run: *\S.*", info):
            raise ValueError(f"```python {info}: the one mark known is `no-run: reason`")
        shown = after and after["info"].strip() in {"text", "output"}
        adjacent = after and not text[fence.end() : after.start()].strip()
        yield Block(
            source=dedented(fence),
            line=text.count("\n", 0, fence.start("body")),
            no_run=info.removeprefix("no-run:").strip() or None,
            output=dedented(after) if after and shown and adjacent else None,
        )


def run_page(text: str, name: str) -> int:
    """Run a page's blocks, compare what they print, and return how many were only compiled."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    checker, flags, skipped = doctest.OutputChecker(), doctest.ELLIPSIS, 0
    for block in blocks(text):
        # The blank lines make a traceback point at the line of the page.
        code = compile("\n" * block.line + block.source, name, "exec")
        if block.no_run:
            skipped += 1
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(code, namespace)
        if block.output is not None:
            example = doctest.Example(block.source, block.output)
            got = printed.getvalue()
            same = checker.check_output(example.want, got, flags)
            assert same, f"{name}:{block.line}\n" + checker.output_difference(example, got, flags)
    return skipped


def links(text: str) -> list[str]:
    """Return the relative links and images of a page."""
    prose = re.sub(r"`[^`\n]*`", "", FENCE.sub("", text))
    found = ("".join(groups) for groups in LINK.findall(prose))
    return [link for link in found if not re.match(r"[a-z]+:|#", link)]


def sections(text: str) -> list[str]:
    """Return the links of a page that lead to a section, of this page or of another."""
    return re.findall(r"\]\((?![a-z]+:)([^)\s#]*#[^)\s]+)\)", FENCE.sub("", text))


def anchors(text: str) -> set[str]:
    """Return the names that a page's headings have in links: lower case, hyphens for spaces."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_code_of_a_page_runs(
    page: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, int], None],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MPLBACKEND", raising=False)
    skipped = run_page(page.read_text("utf-8"), str(page))
    record_property("blocks not run", skipped)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    targets = [(page.parent / link.split("#")[0], link) for link in links(page.read_text("utf-8"))]
    assert [link for path, link in targets if not path.exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_sections_that_a_page_links_to_are_there(page: Path) -> None:
    missing = []
    for link in sections(page.read_text("utf-8")):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if anchor not in anchors(target.read_text("utf-8")):
            missing.append(link)
    assert missing == []


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda script: script.name)
def test_an_example_runs(script: Path, tmp_path: Path) -> None:
    quick = ["--quick"] if "--quick" in script.read_text("utf-8") else []
    environment = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    environment["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(
        [sys.executable, str(script), *quick],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr


def page_of(*parts: tuple[str, str]) -> str:
    """Return a page with these (info, body) blocks."""
    return "Text.\n\n" + "\n".join(f"```{info}\n{body}\n```\n" for info, body in parts)


def test_blocks_share_names_and_their_output_is_compared() -> None:
    assert run_page(page_of(("python", "x = 1"), ("python", "print(x)"), ("text", "1")), "p") == 0
    with pytest.raises(AssertionError, match="Expected"):
        run_page(page_of(("python", "print(1)"), ("output", "2")), "p")


def test_an_indented_block_runs() -> None:
    with pytest.raises(AssertionError, match="Expected"):
        run_page("- item\n\n  ```python\n  print(1)\n  ```\n\n  ```text\n  2\n  ```\n", "p")


def test_text_that_does_not_follow_directly_is_not_output() -> None:
    run_page("```python\nprint(1)\n```\n\nSo.\n\n```text\n2\n```\n", "p")


def test_a_block_that_is_not_run_is_compiled_and_has_a_reason() -> None:
    assert run_page(page_of(("python no-run: needs a week", "1 / 0")), "p") == 1
    with pytest.raises(SyntaxError):
        run_page(page_of(("python no-run: needs a week", "1 +")), "p")
    with pytest.raises(ValueError, match="no-run: reason"):
        run_page(page_of(("python no-run", "1 / 0")), "p")


def test_warnings_of_a_page_are_errors() -> None:
    with pytest.raises(UserWarning):
        run_page(page_of(("python", "import warnings; warnings.warn('w', stacklevel=1)")), "p")


def test_sections_have_the_names_that_links_use() -> None:
    text = "# One `two`: three?\n\n## A-b\n\n```sh\n# no heading\n```\n"
    assert anchors(text) == {"one-two-three", "a-b"}
    assert sections("[a](b.md#c) [d](#e) [f](g.md) [h](https://i.org/#j)") == ["b.md#c", "#e"]


def test_links_are_found() -> None:
    text = '[a](a.md#b) ![c](c.png) <img src="d.svg"> [e](https://e.org) [f](#f) `[g](h)`\n[i]: j\n'
    assert links(text + page_of(("python", "k[0](l)"))) == ["a.md#b", "c.png", "d.svg", "j"]
