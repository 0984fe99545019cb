"""What customers give to be recognised by: the shape of postcodes and e-mail addresses."""

from __future__ import annotations

import re

_EMAIL = re.compile(r"[^\s@<>,;]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,4}\.[A-Za-z]{2,24}")
#: A UK postcode, with whatever people put between its halves.
_POSTCODE = re.compile(r"(?<![A-Za-z0-9])([A-Za-z]{1,2}\d[A-Za-z\d]?)[\s.,_-]{0,2}(\d[A-Za-z]{2})(?![A-Za-z0-9])")
#: An Irish one, of which the second half has letters and digits.
_EIRCODE = re.compile(
    r"(?<![A-Za-z0-9])([AC-FHKNPRTV-Y]\d[\dW])[\s.,_-]{0,2}((?=[A-Z]*\d)(?=\d*[A-Z])[0-9AC-FHKNPRTV-Y]{4})(?![A-Za-z0-9])",
    re.IGNORECASE,
)
_TYPED_MAX = 500


def read_proof(text: object) -> str | None:
    """Return the e-mail address or the postcode inside `text`, or none when there is neither."""
    if not isinstance(text, str):
        return None
    typed = text[:_TYPED_MAX]
    if email := _EMAIL.search(typed):
        return email[0]
    if postcode := _POSTCODE.search(typed) or _EIRCODE.search(typed):
        return f"{postcode[1]} {postcode[2]}".upper()
    return None
