"""Readers of raw data sets, one for each published format, and the choice of the reader."""
