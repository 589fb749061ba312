"""Plots as SVG: lines on two logarithmic axes, and bars on one. Pure text, so that the same figures give the same bytes."""

import html
import math

WIDTH, HEIGHT = 720, 380
LEFT, RIGHT, TOP, BOTTOM = 90, 190, 30, 50
COLOURS = {"native": "#333333", "trap": "#c0504d", "interpret": "#9a9a9a", "translate": "#3a6ea5"}
FRAME = "<svg xmlns='http://www.w3.org/2000/svg' width='{}' height='{}' font-family='sans-serif' font-size='12'>"


def decades(values):
    """The powers of ten around the values, at least one decade."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


def power(exponent):
    return f"{10**exponent:,}" if exponent >= 0 else f"{10.0**exponent:g}"


def text(x, y, words, more=""):
    return f"<text x='{x:.0f}' y='{y:.0f}' {more}>{html.escape(words)}</text>"


def lines(series, x_label, y_label):
    """series: (name, colour, dashed, [(x, y), ...]); all numbers above zero."""
    low_x, high_x = decades([x for *_, points in series for x, _ in points])
    low_y, high_y = decades([y for *_, points in series for _, y in points])
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT

    def at(x, y):
        return (
            LEFT + (math.log10(x) - low_x) / (high_x - low_x) * (right - LEFT),
            bottom - (math.log10(y) - low_y) / (high_y - low_y) * (bottom - TOP),
        )

    shapes = [FRAME.format(WIDTH, HEIGHT), f"<rect width='{WIDTH}' height='{HEIGHT}' fill='white'/>"]
    for exponent in range(low_x, high_x + 1):
        x, _ = at(10.0**exponent, 10.0**low_y)
        shapes += [f"<path d='M{x:.1f} {TOP}V{bottom}' stroke='#ddd'/>", text(x, bottom + 16, power(exponent), "text-anchor='middle'")]
    for exponent in range(low_y, high_y + 1):
        _, y = at(10.0**low_x, 10.0**exponent)
        shapes += [f"<path d='M{LEFT} {y:.1f}H{right}' stroke='#ddd'/>", text(LEFT - 6, y + 4, power(exponent), "text-anchor='end'")]
    for number, (name, colour, dashed, points) in enumerate(series):
        dash = " stroke-dasharray='5 4'" if dashed else ""
        way = " ".join(f"{x:.1f},{y:.1f}" for x, y in (at(*point) for point in points))
        shapes.append(f"<polyline points='{way}' fill='none' stroke='{colour}' stroke-width='2'{dash}/>")
        y = TOP + 12 + number * 18
        shapes.append(f"<path d='M{right + 12} {y}H{right + 42}' stroke='{colour}' stroke-width='2'{dash}/>")
        shapes.append(text(right + 48, y + 4, name))
    shapes.append(text((LEFT + right) / 2, HEIGHT - 12, x_label, "text-anchor='middle'"))
    shapes.append(text(LEFT, 16, y_label))
    return "\n".join([*shapes, "</svg>"]) + "\n"


def bars(groups, names, colours, x_label):
    """groups: (label, [value or None, ...]) with one value for each of `names`; the axis begins at 1."""
    step = len(names) * 12 + 12
    bottom, right = TOP + len(groups) * step, WIDTH - 70
    left = 250
    top = max([value for _, values in groups for value in values if value] + [10])
    high = decades([top])[1]
    shapes = [FRAME.format(WIDTH, bottom + 50), f"<rect width='{WIDTH}' height='{bottom + 50}' fill='white'/>"]

    def at(value):
        return left + max(0.0, math.log10(value)) / high * (right - left)

    for exponent in range(high + 1):
        x = at(10.0**exponent)
        shapes += [f"<path d='M{x:.1f} {TOP}V{bottom}' stroke='#ddd'/>", text(x, bottom + 16, power(exponent), "text-anchor='middle'")]
    for number, name in enumerate(names):
        shapes.append(text(10 + number * 170, 16, name, f"fill='{colours[number]}'"))
    for group, (label, values) in enumerate(groups):
        y = TOP + group * step + 6
        shapes.append(text(10, y + step / 2, label))
        for number, value in enumerate(values):
            if value:
                x, at_y = at(value), y + number * 12
                shapes.append(f"<rect x='{left}' y='{at_y}' width='{max(1.0, x - left):.1f}' height='10' fill='{colours[number]}'/>")
                shapes.append(text(x + 5, at_y + 9, f"{value:.2f}", "font-size='10'"))
    shapes.append(text((left + right) / 2, bottom + 38, x_label, "text-anchor='middle'"))
    return "\n".join([*shapes, "</svg>"]) + "\n"
