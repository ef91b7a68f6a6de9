"""Viz: the graph of a result, the history of a run, the decisions of a model, as pictures.

Floor: above `nn`, `optim` and `data`.  `graph` reads the engine, `render` runs the program that
lays graphs out, `plots`, `diagnostics` and `learning_rates` draw with matplotlib; graphviz and
matplotlib are imported where they are used.
"""

from .diagnostics import plot_diagnostics
from .graph import draw_dot, save_graph, trace
from .learning_rates import plot_learning_rates
from .plan import draw_plan
from .plots import plot_decision_boundary, plot_history
from .render import RenderError

__all__ = [
    "RenderError",
    "draw_dot",
    "draw_plan",
    "plot_decision_boundary",
    "plot_diagnostics",
    "plot_history",
    "plot_learning_rates",
    "save_graph",
    "trace",
]
