"""Benchmarks on published recordings: how good the detector is, beside the best. Not part of what is installed."""
