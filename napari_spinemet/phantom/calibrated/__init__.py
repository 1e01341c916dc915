"""The second generator of phantoms: intensities settled beside one real STIR series.

It stays as it was, bit for bit, since figures rest on its cohorts.
"""
