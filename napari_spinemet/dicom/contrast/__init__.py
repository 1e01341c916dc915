"""What the images of a series show: their contrast, whether fat is suppressed, the body part."""
