"""`vision tour`: the chapters of the tour, a module each, in the order of `command._CHAPTERS`."""
