"""The figures of the paper (Wang et al. 2017), made from a study by one command."""

from ...workflows.map_source import MapSource
from .export import FigureExport, export_figures
from .figure_context import FIGURES

__all__ = ["FIGURES", "FigureExport", "MapSource", "export_figures"]
