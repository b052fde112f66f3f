"""Studies by name or file: those that come with the program, and a user's."""

from __future__ import annotations

from pathlib import Path

from largebatch.errors import UserError
from largebatch.files.safe import read_file, text_of
from largebatch.settings.study import Study
from largebatch.studies.parser import parse

SHIPPED = Path(__file__).parent / "shipped"
MAX_BYTES = 32 * 2**10  # of a file: the parser takes quadratic time for some


def shipped(*, tuning: bool | None = None) -> list[str]:
    """Names of the studies that come with the program: all, or those that tune, or those that don't."""
    files = SHIPPED.glob("*.toml")
    return sorted(file.stem for file in files if tuning in (None, "[tune]" in file.read_text()))


def load(name_or_file: str, *, tuning: bool | None = None) -> Study:
    """A shipped study by its name, or that of a file, whose name ends in .toml. Raises UserError.

    The error for an unknown name lists the studies of the kind that is wanted, as `shipped` does.
    """
    if not name_or_file.endswith(".toml"):
        if name_or_file not in shipped():
            raise UserError(
                f"there is no study {name_or_file!r}; there are {', '.join(shipped(tuning=tuning))}, "
                "or name a file that ends in .toml"
            )
        return load(str(SHIPPED / f"{name_or_file}.toml"))
    try:
        text = text_of(read_file(Path(name_or_file), MAX_BYTES, follow=True))
    except FileNotFoundError:
        raise UserError(f"there is no file {name_or_file}: look at its name and folder") from None
    except (OSError, ValueError) as error:
        raise UserError(f"the study {name_or_file} can't be read: {error}") from error
    return parse(text, name_or_file)
