"""The second look: what the network marks, against the patient's own other bodies."""
