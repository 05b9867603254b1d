"""The command line: the only room that prints, exits or reads the environment; one file for each command."""

from __future__ import annotations

import gc
import os
import sys

__all__ = ["main"]


def main() -> int:
    """Run the program with the process's arguments and give its exit code; Ctrl-C is 130 from here on."""
    # A short run makes little garbage; looking for it while modules load costs a tenth of the whole time.
    gc.set_threshold(100_000)
    try:
        from crane_mirrors.cli._run import run

        code = run(sys.argv[1:])
        # The interpreter looks through everything that it leaves behind; that costs as much as all the rest.
        gc.freeze()
        return code
    except KeyboardInterrupt:
        # Nothing that is still buffered may fail, or block, on the way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 130
