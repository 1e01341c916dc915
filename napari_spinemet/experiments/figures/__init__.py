"""The figures of the paper (Wang et al. 2017), made from a study by one command."""

from .export import FigureExport, export_figures
from .ground import FIGURES
from .sources import MapSource

__all__ = ["FIGURES", "FigureExport", "MapSource", "export_figures"]
