"""From DOT source to a picture: the renderer, and the drawing object that knows how to show itself.

Floor: viz.  Imports the standard library, and graphviz inside the functions that use it.  The
`graphviz` package writes DOT and needs a program to lay it out: Graphviz's `dot`, or
`graphviz-pure`, which the extra `draw` installs.  To support another program, add it to
`_renderers`.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any, Final

HOW_TO_INSTALL: Final = 'pip install "tensorgrad-numpy[draw]", or install Graphviz'
_SECONDS: Final = 60.0


class RenderError(RuntimeError):
    """No picture could be made; the message says in one line why, and what to do."""


def _renderers() -> list[str]:
    """List the programs that can lay out a graph, the preferred one first."""
    # An environment that is not activated has its programs in a folder that PATH does not name.
    user = sysconfig.get_path("scripts", sysconfig.get_preferred_scheme("user"))
    own = os.pathsep.join([sysconfig.get_path("scripts"), user])
    found = [
        shutil.which("dot"),
        shutil.which("graphviz-pure"),
        shutil.which("graphviz-pure", path=own),
    ]
    return list(dict.fromkeys(program for program in found if program))


def layout(source: str, format: str, engine: str = "dot", seconds: float = _SECONDS) -> bytes:
    """Lay out a graph and draw it.

    Parameters
    ----------
    source
        The graph in the DOT language.
    format
        `svg`, `png`, or another one that the program knows; `pdf` needs Graphviz itself.
    engine
        The layout algorithm.
    seconds
        How long a program may take.

    Returns
    -------
    bytes
        The picture.

    Raises
    ------
    RenderError
        If no program is installed, none can draw this, or one takes too long.
    """
    reason = f"no program to draw graphs was found: {HOW_TO_INSTALL}"
    for program in _renderers():
        name = Path(program).stem
        try:
            done = subprocess.run(
                [program, f"-K{engine}", f"-T{format}"],
                input=source.encode(),
                capture_output=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise RenderError(
                f"{name} did not lay out the graph within {seconds:g} s: draw a smaller one"
            ) from None
        except OSError as error:
            reason = f"{name} does not run ({error}): {HOW_TO_INSTALL}"
            continue
        if done.returncode == 0 and done.stdout:
            return done.stdout
        said = " ".join(done.stderr.decode(errors="replace").split())
        reason = f"{name} cannot draw this as {format}: {said or f'exit {done.returncode}'}"
        if format == "pdf":
            reason = f"{name} cannot draw PDF: choose SVG or PNG, or install Graphviz"
    raise RenderError(reason)


@functools.cache
def drawing_class() -> Any:
    """Return the class of drawings, made at the first call: importing graphviz takes its time."""
    import graphviz

    class Drawing(graphviz.Digraph):  # type: ignore[misc]
        """A `graphviz.Digraph` that finds its renderer, and shows itself in a notebook.

        `render` and `pipe` take graphviz's arguments, but for its choice of plugins.
        """

        def pipe(
            self,
            format: str | None = None,
            *,
            engine: str | None = None,
            encoding: str | None = None,
            quiet: bool = False,  # noqa: ARG002 - nothing is printed in any case
        ) -> bytes | str:
            """Return the picture, as text where an encoding is given."""
            picture = layout(self.source, format or self.format, engine or self.engine)
            return picture if encoding is None else picture.decode(encoding)

        def render(
            self,
            filename: str | os.PathLike[str] | None = None,
            directory: str | os.PathLike[str] | None = None,
            view: bool = False,
            cleanup: bool = False,
            format: str | None = None,
            quiet: bool = False,  # noqa: ARG002 - nothing is printed in any case
            quiet_view: bool = False,
            *,
            outfile: str | os.PathLike[str] | None = None,
            engine: str | None = None,
        ) -> str:
            """Save the source, and beside it the picture; return the path of the picture.

            The picture is `outfile`, whose suffix is its format, or else `filename` with the
            format added.  The source is kept where no picture can be drawn.
            """
            if outfile is not None:
                format = format or Path(outfile).suffix.removeprefix(".").lower()
                filename = filename or Path(outfile).with_suffix(".gv")
            chosen = format or self.format
            if chosen not in graphviz.FORMATS:
                raise ValueError(f"a graph is drawn as svg, png or pdf, not as {chosen!r}")
            source = Path(self.save(filename, directory=directory))
            picture = Path(f"{source}.{chosen}")
            if outfile is not None:
                picture = Path(self.directory, outfile)
            try:
                drawn = layout(self.source, chosen, engine or self.engine)
            except RenderError as error:
                raise RenderError(f"{error}; the graph's DOT source is in {source}") from None
            picture.write_bytes(drawn)
            if cleanup:
                source.unlink()
            if view or quiet_view:
                graphviz.view(picture, quiet=quiet_view)
            return str(picture)

        def _repr_mimebundle_(self, *args: Any, **kwargs: Any) -> dict[str, bytes | str]:
            """Return the picture for a notebook, or a line that says how to get one."""
            try:
                bundle: dict[str, bytes | str] = super()._repr_mimebundle_(*args, **kwargs)
            except RenderError as error:
                return {"text/plain": f"No picture: {error}"}
            return bundle

        def __repr__(self) -> str:
            """Say what this is; the address that Python would show differs from run to run."""
            return f"<drawing of {len(self.body)} nodes and edges>"

    return Drawing
