"""The exam of a model: scans of scanners that nothing was set beside, implants, and phantoms."""
