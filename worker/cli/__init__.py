"""The command line: each command parses, calls a service and prints.

Modules import only click, the standard library and light modules such as `worker.errors` at the top; everything
heavier is imported when a command runs, so that `--help` and `health live` respond at once.
"""
