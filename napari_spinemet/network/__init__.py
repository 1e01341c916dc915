
from .siamese import SiameseNet

