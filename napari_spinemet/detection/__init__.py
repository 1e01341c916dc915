"""From a series to findings: likelihood maps, aggregation, component trees, gate, findings."""

from ..imaging import aggregate
from .components import ComponentForest
from .engines import likelihood_map
from .findings import link_findings
from .pipeline import DetectionResult, detect

__all__ = [
    "ComponentForest",
    "DetectionResult",
    "aggregate",
    "detect",
    "likelihood_map",
    "link_findings",
]
