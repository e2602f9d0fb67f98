"""The plot of a document of results: bars of the ratio per model and shape, as SVG."""

from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT, BAR, GAP, TOP = 760, 190, 60, 13, 9, 62
INK, FLOAT, INT8 = "#57606a", "#4c8eda", "#2da44e"  # readable on light and dark pages


def plot(document, ratios):
    """Bars of qrun's speed over the fastest other runtime, float32 and int8, of every cell; longer is faster."""
    groups = []
    for n in sorted({c["threads"] for c in document["cells"]}):
        bars = [(f"{c['model']} {c['shape']}".replace("all-minilm-l6-v2", "MiniLM-L6"), *ratios(c)) for c in document["cells"] if c["threads"] == n]
        groups.append((f"{n} thread{'s' * (n > 1)}", [b for b in bars if b[1] or b[2]]))
    longest = max([x for _, bars in groups for b in bars for x in b[1:] if x] + [1.2])
    scale = (WIDTH - LEFT - RIGHT) / longest
    out, y = [], TOP
    for title, bars in groups:
        out.append(text(LEFT, y + 12, title, weight="bold"))
        y += 22
        for label, *values in bars:
            height = BAR * sum(v is not None for v in values)
            out.append(text(LEFT - 8, y + height / 2 + 4, label, anchor="end"))
            for value, color in zip(values, (FLOAT, INT8)):
                if value is None:
                    continue
                out.append(f'<rect x="{LEFT}" y="{y}" width="{value * scale:.1f}" height="{BAR - 2}" fill="{color}"/>')
                out.append(text(LEFT + value * scale + 4, y + 10, f"{value:.2f}x", size=10))
                y += BAR
            y += GAP
        y += GAP
    one = LEFT + scale
    out.append(f'<line x1="{one:.1f}" y1="{TOP - 4}" x2="{one:.1f}" y2="{y - GAP}" stroke="{INK}" stroke-dasharray="4 3"/>')
    top = [
        text(8, 18, f"How many times as fast as other runtimes: {document['cpu']}, {document['kind']}", weight="bold"),
        f'<rect x="8" y="30" width="10" height="10" fill="{FLOAT}"/>', text(24, 39, "float32, against the fastest of ONNX Runtime, OpenVINO, rten, tract"),
        f'<rect x="430" y="30" width="10" height="10" fill="{INT8}"/>', text(446, 39, "int8, against ONNX Runtime's int8"),
    ]
    body = "\n".join(top + out)
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}" font-family="sans-serif" font-size="12">\n{body}\n</svg>\n'


def text(x, y, content, anchor="start", size=12, weight="normal"):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" fill="{INK}">{escape(content)}</text>'
