#!/usr/bin/env python3
"""Draw the pictures of doc/learn and doc/do: pictures.py; with --check it says which file is not as it draws it.

Lines and letters have the colour of the text around them, of a page in light or dark; blue is what is read, orange the
state, green what is written, red a gradient.
"""

import html
import pathlib
import re
import sys

DOC = pathlib.Path(__file__).resolve().parent.parent
BLUE, ORANGE, GREEN, RED, PLAIN = "#3b82c4", "#d9822b", "#3a9a5b", "#d0504f", "currentColor"
STYLE = """svg.picture { color: #24292f; font: 15px sans-serif; }
@media (prefers-color-scheme: dark) { svg.picture { color: #d8dee4; } }"""


def label(x, y, text, anchor="middle", size=15, color=PLAIN):
    """Text in which h_t and h_{t-1} have subscripts; y is its middle."""
    parts, y = [], y + size * 0.34
    for plain, braced, single in re.findall(r"([^_]+)|_\{([^}]*)\}|_(\w)", text):
        if plain:
            parts.append(html.escape(plain))
        else:
            down = round(size * 0.3)
            parts.append(f'<tspan dy="{down}" font-size="{size * 0.72:.0f}">{html.escape(braced or single)}</tspan>'
                         f'<tspan dy="{-down}">&#8203;</tspan>')
    return (f'<text x="{x}" y="{y:.0f}" text-anchor="{anchor}" font-size="{size}" fill="{color}">'
            + "".join(parts) + "</text>")


def box(x, y, text, color=PLAIN, w=64, h=40, round=8):
    """A box around the point."""
    return (f'<rect x="{x - w / 2:g}" y="{y - h / 2:g}" width="{w}" height="{h}" rx="{round}" fill="{color}" '
            f'fill-opacity="0.14" stroke="{color}" stroke-width="1.5"/>' + label(x, y, text))


def arrow(*points, color=PLAIN, dashed=False):
    """A line through the points, with a head at the last one."""
    path = "M" + " L".join(f"{x:g} {y:g}" for x, y in points)
    (x0, y0), (x1, y1) = points[-2:]
    length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
    ux, uy = (x1 - x0) / length, (y1 - y0) / length
    left, right = (x1 - 9 * ux - 4 * uy, y1 - 9 * uy + 4 * ux), (x1 - 9 * ux + 4 * uy, y1 - 9 * uy - 4 * ux)
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    return (f'<path d="{path}" fill="none" stroke="{color}" stroke-width="1.5"{dash}/>'
            f'<path d="M{x1:g} {y1:g} L{left[0]:.1f} {left[1]:.1f} L{right[0]:.1f} {right[1]:.1f} Z" fill="{color}"/>')


def up(x, y0, y1, **options):
    return arrow((x, y0), (x, y1), **options)


def right(x0, x1, y, **options):
    return arrow((x0, y), (x1, y), **options)


def circle(x, y, text, r=13):
    ring = f'<circle cx="{x}" cy="{y}" r="{r}" fill="none" stroke="currentColor" stroke-width="1.5"/>'
    return ring + label(x, y, text)


def feedforward():
    """A feed-forward network computes h and y from x. A recurrent network reads its own last h, too."""
    out = []
    for x, title in ((130, "feed-forward"), (430, "recurrent")):
        out += [label(x, 22, title, size=16), box(x, 230, "x_t", BLUE), box(x, 150, "h_t", ORANGE),
                box(x, 70, "y_t", GREEN),
                up(x, 210, 172), up(x, 130, 92)]
    out += [arrow((462, 160), (505, 160), (505, 140), (464, 140)), label(514, 150, "h_{t-1}", "start")]
    return 600, 262, out


def step():
    """The steps side by side: each state is computed from the input and the state before it."""
    out = [label(34, 120, "h_0", color=ORANGE)]
    for t, x in enumerate((110, 230, 350, 470), 1):
        out += [box(x, 200, f"x_{t}", BLUE), box(x, 120, f"h_{t}", ORANGE), box(x, 40, f"y_{t}", GREEN),
                up(x, 180, 142),
                up(x, 100, 62), right(x - 120 + (32 if t > 1 else 58), x - 34, 120)]
    out += [right(502, 560, 120), label(578, 120, "..."), label(170, 104, "W_{hh}", size=13),
            label(132, 162, "W_{ih}", size=13),
            label(134, 82, "W_{ho}", size=13)]
    return 600, 232, out


def outputs():
    """Three ways to put out: at each step; once, after the last input; or a sequence after the whole input has been
    read, each output of which is the next input."""
    out = []
    for left, steps, title in ((30, 3, "an output for each step"), (250, 3, "one output at the end"),
                               (470, 5, "a sequence afterwards")):
        out.append(label(left + 30 * (steps - 1), 20, title))
        for t in range(steps):
            x, w = left + t * 60, 38
            reads = t < 3
            writes = steps == 5 and t >= 2 or steps == 3 and (left == 30 or t == 2)
            out.append(box(x, 120, "h", ORANGE, w=w, h=32))
            if reads:
                out += [box(x, 185, "x", BLUE, w=w, h=32), up(x, 169, 138)]
            if writes:
                out += [box(x, 55, "y", GREEN, w=w, h=32), up(x, 104, 73)]
            if t:
                out.append(right(x - 60 + w / 2, x - w / 2 - 1, 120))
            if not reads:
                out.append(arrow((x - 41, 55), (x - 30, 55), (x - 30, 160), (x, 160), (x, 138)))
    return 740, 210, out


def stacking():
    """Two layers: the state of the first is the input of the second, at each step."""
    out = []
    for t, x in enumerate((110, 250, 390), 1):
        out += [box(x, 270, f"x_{t}", BLUE), box(x, 195, f"h_{t}", ORANGE), box(x, 115, f"h_{t}", ORANGE),
                box(x, 40, f"y_{t}", GREEN), up(x, 250, 217), up(x, 175, 137), up(x, 95, 62)]
        out += [right(x - (140 - 32 if t > 1 else 60), x - 34, y) for y in (195, 115)]
    out += [label(470, 195, "layer 0", "start"), label(470, 115, "layer 1", "start"), label(470, 40, "head", "start")]
    return 600, 300, out


def training():
    """Forward, from left to right, each step computes a loss. Backward, from right to left, the gradient of all
    losses reaches every state."""
    out = []
    for t, x in enumerate((90, 230, 370, 510), 1):
        out += [box(x, 250, f"x_{t}", BLUE), box(x, 170, f"h_{t}", ORANGE), box(x, 95, f"y_{t}", GREEN),
                box(x, 30, f"loss_{t}"),
                up(x - 9, 230, 192), up(x - 9, 150, 117), up(x - 9, 75, 52),
                up(x + 9, 50, 73, color=RED, dashed=True), up(x + 9, 115, 148, color=RED, dashed=True)]
        if t > 1:
            out += [right(x - 108, x - 34, 161), arrow((x - 33, 180), (x - 107, 180), color=RED, dashed=True)]
    return 600, 280, out


def gates():
    """In an LSTM the cell state c is multiplied by the forget gate and added to; in a GRU the gate z mixes the last
    state with a new one."""
    out = [label(170, 20, "LSTM", size=16), label(550, 20, "GRU", size=16)]
    # LSTM: c along the top, h below.
    out += [label(28, 70, "c_{t-1}"), label(28, 200, "h_{t-1}"), label(70, 255, "x_t", color=BLUE),
            label(332, 70, "c_t"),
            label(332, 200, "h_t", color=ORANGE)]
    out += [right(50, 106, 70), circle(120, 70, "*"), right(134, 176, 70), circle(190, 70, "+"), right(204, 312, 70)]
    for x, name in ((120, "f"), (170, "i"), (210, "g"), (270, "o")):
        out.append(box(x, 160, name, ORANGE, w=34, h=30, round=4))
    out += [up(120, 145, 85), circle(190, 112, "*"), arrow((170, 145), (181, 124)), arrow((210, 145), (199, 124)),
            up(190, 98, 85),
            circle(270, 112, "*"), up(270, 145, 127), arrow((250, 70), (250, 84), (262, 100)),
            label(243, 96, "tanh", "end", size=12),
            arrow((284, 112), (302, 112), (302, 200), (316, 200))]
    out += [arrow((48, 200), (290, 200)), arrow((70, 243), (70, 202))]
    out += [up(x, 200, 176) for x in (120, 170, 210, 270)]
    # GRU.
    out += [label(398, 70, "h_{t-1}"), label(450, 255, "x_t", color=BLUE), label(728, 70, "h_t", color=ORANGE),
            right(690, 712, 70)]
    for x, name in ((480, "r"), (550, "n"), (610, "z")):
        out.append(box(x, 160, name, ORANGE, w=34, h=30, round=4))
    out += [arrow((422, 70), (568, 70)), box(630, 70, "(1 - z) n + z h", w=120, h=34),
            arrow((430, 70), (430, 200), (640, 200)), arrow((450, 243), (450, 202)),
            right(497, 532, 160)]
    out += [up(x, 200, 176) for x in (480, 550, 610)]
    out += [arrow((550, 145), (550, 110), (615, 110), (615, 88)), arrow((610, 145), (610, 128), (650, 128), (650, 88))]
    return 745, 275, out


def characters():
    """A character model reads the letters of hello, and at each step gives a probability to every letter as the
    next."""
    out = []
    for t, (read, said) in enumerate(zip("hell", "ello")):
        x = 80 + t * 120
        out += [box(x, 260, f"'{read}'", BLUE), box(x, 185, "h", ORANGE), box(x, 40, f"'{said}'", GREEN, w=48, h=32),
                up(x, 240, 207)]
        out += [right(x - 88, x - 34, 185)] if t else []
        for bar, height in enumerate({0: (6, 30, 9, 4), 1: (5, 8, 32, 6), 2: (4, 6, 30, 12), 3: (6, 3, 9, 34)}[t]):
            out.append(f'<rect x="{x - 24 + bar * 13}" y="{125 - height}" width="9" height="{height}" fill="{GREEN}"/>')
        out += [up(x, 165, 132), up(x, 84, 58)]
    out += [label(500, 260, "read", "start"), label(500, 185, "state", "start"), label(500, 108, "softmax", "start"),
            label(500, 40, "target", "start")]
    return 600, 290, out


def audio():
    """One thread loads a network and offers it; the audio callback takes it by an exchange of a pointer."""
    return 600, 235, [
        box(120, 60, "user interface", w=170, h=44), box(120, 180, "audio callback", BLUE, w=170, h=44),
        box(420, 60, "next network", ORANGE, w=150, h=44), box(420, 180, "network in use", ORANGE, w=150, h=44),
        right(206, 343, 60), label(274, 44, "load", size=13), right(206, 343, 180),
        label(274, 164, "step a block", size=13), up(420, 83, 156),
        label(432, 120, "exchange of a pointer", "start", size=13),
        label(120, 216, "never waits", size=13), label(120, 26, "may wait", size=13)]


PICTURES = {"learn/feedforward": feedforward, "learn/step": step, "learn/outputs": outputs, "learn/stacking": stacking,
            "learn/training": training, "learn/gates": gates, "learn/characters": characters, "do/audio": audio}


def drawn(picture):
    width, height, parts = picture()
    title = " ".join(picture.__doc__.split())
    head = (f'<svg class="picture" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" role="img">\n<title>{html.escape(title)}</title>\n<style>\n{STYLE}\n</style>\n')
    return head + "\n".join(parts) + "\n</svg>\n"


def main():
    for name, picture in PICTURES.items():
        path, text = DOC / f"{name}.svg", drawn(picture)
        if sys.argv[1:] != ["--check"]:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            sys.exit(f"doc/{name}.svg is not what doc/site/pictures.py draws: run it")


main()
