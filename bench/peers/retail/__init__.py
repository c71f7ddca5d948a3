"""The flow of examples/retail in Python, for a script that keeps everything in one process: see environment.py."""
