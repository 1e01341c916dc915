"""What helps a person to draw: proposed vertebrae, region growing, slices between, counts."""
