"""`python -m handbench`: the command line without an installed script, which is how the pipeline calls it."""

import sys

from handbench.cli import main
from handbench.training.one_run import end_with_scheduler

# A module that a worker process imports anew is not called so: only the job itself watches.
if __name__ == "__main__":
    end_with_scheduler()
    sys.exit(main())
