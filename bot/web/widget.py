"""The widget's one script, put together from its parts: a style sheet and a few plain files, no build step."""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import dataclass
from importlib.resources import files

#: In this order, inside one function, so that nothing of it is seen by the page around it.
PARTS = ("words.de.js", "words.js", "dom.js", "wire.js", "outbox.js", "view.js", "composer.js", "widget.js")


@dataclass(frozen=True, kw_only=True)
class Widget:
    """What `/chat/widget.js` answers."""

    script: bytes
    #: the same, compressed
    gzipped: bytes
    #: quoted, as HTTP wants it
    etag: str


def assemble(style: str, parts: list[str]) -> Widget:
    """Return the script made of a style sheet and the parts' source texts."""
    body = "\n".join(parts)
    script = f'(() => {{\n"use strict";\nconst STYLE = {json.dumps(style)};\n{body}\n}})();\n'.encode()
    return Widget(
        script=script, gzipped=gzip.compress(script, 9, mtime=0), etag=f'"{hashlib.sha256(script).hexdigest()[:20]}"'
    )


def load_widget() -> Widget:
    """Return the script made of the files in `connectors/webchat/static`."""
    static = files("connectors.webchat") / "static"
    return assemble(
        (static / "style.css").read_text(encoding="utf-8"),
        [(static / name).read_text(encoding="utf-8") for name in PARTS],
    )
