"""The subcommands, in the order in which a newcomer needs them."""

from . import (
    archive,
    compare,
    completion,
    evaluate,
    explain,
    export,
    reproduce,
    serve,
    triton,
    tune,
    verify,
    web,
)

COMMANDS = (
    export, explain, compare, evaluate, tune, archive, serve, triton, web, verify, reproduce, completion,
)  # fmt: skip
