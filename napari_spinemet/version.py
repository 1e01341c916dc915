"""The version of the program, for cards, reports and the study's runs."""

__version__ = "0.1.0"
