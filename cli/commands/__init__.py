"""The subcommands, in the order in which a newcomer needs them."""

from . import archive, compare, completion, explain, export, serve, triton, verify, web

COMMANDS = (export, explain, compare, archive, serve, triton, web, verify, completion)
