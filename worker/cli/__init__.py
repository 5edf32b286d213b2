"""The command line: each command parses, calls a service and prints.

At the top of a module here stand only click, the standard library, `worker.errors` and `worker.liveness`; everything
heavier is imported when a command runs, so that `--help` and `health live` answer at once.
"""
