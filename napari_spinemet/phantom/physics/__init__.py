"""What a tissue gives in an image: relaxation, sequence, signal."""
