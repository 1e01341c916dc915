"""Which images of a series belong together, whether they form one box, and what is missing."""
