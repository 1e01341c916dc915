"""Operating points chosen on validation cases: by regions in slices, or by findings."""
