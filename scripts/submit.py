"""A study as a batch job: spark-submit [its options] scripts/submit.py STUDY [options of `largebatch sweep`].

See docs/clusters.md. Exit status: that of `largebatch sweep`.
"""

from __future__ import annotations

import sys

from largebatch.cli.main import main
from largebatch.engine.submitted import SubmittedJvm

main(["sweep", *sys.argv[1:]], host=SubmittedJvm())
