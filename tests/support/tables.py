"""Tables, read back to the last bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd


def read_csv(file: Path, **options: Any) -> pd.DataFrame:
    """As pandas' own. Before pandas 3 exact numbers must be asked for; later that is deprecated."""
    if int(pd.__version__.partition(".")[0]) < 3:
        options["float_precision"] = "round_trip"
    return pd.read_csv(file, **options)
