"""The subcommands, in the order in which a newcomer needs them."""

from . import (
    archive,
    compare,
    completion,
    evaluate,
    explain,
    export,
    replay,
    reproduce,
    serve,
    triton,
    tune,
    verify,
    web,
)

COMMANDS = (
    export, explain, compare, evaluate, tune, archive, serve, triton, web, verify, replay, reproduce,
    completion,
)  # fmt: skip
