"""`python -m handbench`: the command line without an installed script, which is how the pipeline calls it."""

import sys

from handbench.cli import main

sys.exit(main())
