"""Where a model comes from, for the metadata of a file."""

from __future__ import annotations

import json

from largebatch.models.model import Model


def origin(model: Model, fingerprint: str) -> dict[str, str]:
    """Name and fingerprint of the data and, if classes have names, these as a list in JSON."""
    names = {"class_names": json.dumps(model.class_names)} if model.class_names else {}
    return {"dataset": model.training.dataset, "fingerprint": fingerprint, **names}
