"""The steps of `vision tour`, a file for each chapter; a step's docstring, code and output are what is shown."""
