"""Train: from the contoured cases of a study to a model."""
