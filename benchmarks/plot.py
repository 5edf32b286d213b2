"""A plot of a comparison: bars of events a second, as SVG that can be read on light and on dark pages."""

from html import escape

from benchmarks.report import OUT, Results

FILE = OUT / "latest.svg"

WIDTH, LEFT, RIGHT, TOP, ROW, BAR = 940, 370, 90, 50, 34, 20

_HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-labelledby="title description" \
font-family="system-ui, sans-serif" font-size="14">
  <title id="title">Events a second from queue to rows</title>
  <desc id="description">{description}</desc>
  <style>
    text {{ fill: #1f2328 }}
    .other {{ fill: #8c959f }}
    .ours {{ fill: #0969da }}
    .limit {{ fill: #1a7f37 }}
    @media (prefers-color-scheme: dark) {{
      text {{ fill: #e6edf3 }}
      .other {{ fill: #6e7681 }}
      .ours {{ fill: #58a6ff }}
      .limit {{ fill: #3fb950 }}
    }}
  </style>
  <text x="10" y="28" font-weight="600">Events a second from queue to rows</text>
"""
_ROW = """\
  <text x="{label}" y="{text}" text-anchor="end">{title}</text>
  <rect class="{kind}" x="{left}" y="{top}" width="{width:.1f}" height="{bar}" rx="2"/>
  <text x="{value:.1f}" y="{text}">{rate:,.0f}</text>
"""


def draw(results: Results) -> str:
    """The fastest first."""
    ordered = sorted(results.items(), key=lambda item: -item[1].rate)
    most = ordered[0][1].rate
    parts = [
        _HEAD.format(
            width=WIDTH,
            height=TOP + ROW * len(ordered) + 6,
            description=escape("; ".join(f"{result.title}: {result.rate:,.0f}" for _, result in ordered)),
        )
    ]
    for number, (key, result) in enumerate(ordered):
        top = TOP + ROW * number
        width = max(1.0, (WIDTH - LEFT - RIGHT) * result.rate / most)
        parts.append(
            _ROW.format(
                kind=_kind(key),
                title=escape(result.title),
                label=LEFT - 10,
                left=LEFT,
                top=top,
                text=top + BAR - 5,
                width=width,
                bar=BAR,
                value=LEFT + width + 8,
                rate=result.rate,
            )
        )
    return "".join([*parts, "</svg>\n"])


def write(results: Results) -> None:
    """Write the plot to FILE."""
    OUT.mkdir(parents=True, exist_ok=True)
    FILE.write_text(draw(results), encoding="utf-8")


def _kind(key: str) -> str:
    return next((kind for start, kind in (("worker", "ours"), ("limit", "limit")) if key.startswith(start)), "other")
