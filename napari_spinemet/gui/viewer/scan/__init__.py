"""The scan on the screen: what it is, whose it is, and how another takes its place."""
