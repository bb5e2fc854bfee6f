"""Pictures of curves in panels, drawn by gnuplot."""

import collections
import html
import math
import re
import subprocess
import sys

# A mark of 0 is none, a width of 0 no line; marks and dashes are gnuplot's. Bars are lines up from the axis.
Style = collections.namedtuple("Style", "colour mark width dash bars", defaults=(0, 0, 1, False))

# Points (x, y) in a style. The title is for the picture's key, or if inside for the panel's own; empty for neither.
Curve = collections.namedtuple("Curve", "points style title inside")


class Panel:
    """Curves, of which the first is in front, and commands for the axes."""

    def __init__(self, title, x_label, y_label, commands):
        self.title, self.x_label, self.y_label, self.commands = title, x_label, y_label, commands
        self.curves = []

    def add(self, points, style, title="", inside=False):
        if points:
            self.curves.append(Curve(sorted(points), style, title, inside))


# Colours that colour-blind people can tell apart (Okabe and Ito).
BLACK, GREY, RED, BLUE, SKY, GREEN, PURPLE, ORANGE = (
    "#000000", "#777777", "#d55e00", "#0072b2", "#56b4e9", "#009e73", "#cc79a7", "#e69f00")


def style_text(style):
    line = f" lw {style.width} dt {style.dash}" if style.width else ""
    mark = f" pt {style.mark} ps 0.9" if style.mark else ""
    kind = "impulses" if style.bars else "linespoints" if line and mark else "lines" if line else "points lw 1.5"
    return f"with {kind} lc rgb '{style.colour}'{line}{mark}"


def quote(text):
    return "'" + text.replace("'", "''") + "'"


def tics(pairs):
    return "(" + ", ".join(f"{quote(text)} {value}" for value, text in pairs) + ")"


def label(text, x, y, options=""):
    return f"set label {quote(text)} at {x},{y} {options}"


def axes(left, right, bottom, top):
    return [f"set {side}margin at screen {at:.4f}" for side, at in zip("lrbt", (left, right, bottom, top))]


def panel_script(panel, borders, x_label, y_label):
    commands = ["reset", *axes(*borders), f"set title {quote(panel.title)} offset 0,-0.6",
                f"set xlabel {quote(x_label)} offset 0,0.4", f"set ylabel {quote(y_label)} offset 1,0",
                "set border 3 lc rgb '#444444'", "set grid lc rgb '#e4e4e4' lt 1", "set tics nomirror scale 0.5",
                *panel.commands]
    words = []
    for number, curve in reversed(list(enumerate(panel.curves))):
        commands += [f"$curve{number} << END", *(f"{x:.6g} {y:.6g}" for x, y in curve.points), "END"]
        title = f"title {quote(curve.title)}" if curve.inside and curve.title else "notitle"
        words.append(f"$curve{number} {style_text(curve.style)} {title}")
    return commands + ["plot " + ", ".join(words)]


def key_script(curves, columns, bottom, top):
    """Draws the samples and texts itself: gnuplot's own keys have uneven columns."""
    commands = ["reset", "unset border", "unset tics", "unset key", *axes(0, 1, bottom, top)]
    rows = math.ceil(len(curves) / columns)
    words = []
    for number, curve in enumerate(curves):
        x, y = (number % columns + 0.5) / columns - 0.09, 1 - (number // columns + 0.5) / rows
        commands += [f"$line{number} << END", f"{x - 0.015:.4f} {y:.4f}", f"{x + 0.015:.4f} {y:.4f}", "END",
                     f"$mark{number} << END", f"{x:.4f} {y:.4f}", "END", label(curve.title, x + 0.022, y, "left")]
        if curve.style.width:
            words.append(f"$line{number} {style_text(curve.style._replace(mark=0))}")
        if curve.style.mark:
            words.append(f"$mark{number} {style_text(curve.style._replace(width=0))}")
    return commands + ["plot [0:1][0:1] " + ", ".join(words)]


def picture_script(title, panels, columns, notes):
    """Panels in rows, under them one key for all, in the order of the fullest, and the notes."""
    key = {}
    for panel in sorted(panels, key=lambda panel: -len(panel.curves)):
        for curve in panel.curves:
            if curve.title and not curve.inside:
                key.setdefault(curve.title, curve)
    key = list(key.values())
    rows, key_rows = math.ceil(len(panels) / columns), math.ceil(len(key) / 4)
    # Only the lowest panel of a column has a label on its x axis, and one with other axes below it.
    labelled = [number + columns >= len(panels) or panels[number + columns].x_label != panel.x_label
                for number, panel in enumerate(panels)]
    gap = 20 if any(labelled[:-columns]) else 0
    width, head, foot = 1000, 45, 36 + 22 * key_rows + 18 * len(notes)
    panel_height = 340 if rows == 1 else 250 + gap
    height = head + rows * panel_height + foot
    commands = [f"set terminal svg size {width},{height} noenhanced font 'sans-serif,13' background rgb 'white'",
                f"set multiplot title {quote(title)} font ',16'"]
    for number, panel in enumerate(panels):
        row, column = divmod(number, columns)
        bottom = height - head - (row + 1) * panel_height + 40 + gap
        borders = (column / columns + 82 / width, (column + 1) / columns - 15 / width, bottom / height,
                   (bottom + panel_height - 65 - gap) / height)
        left = panels[number - 1] if column else None
        commands += panel_script(panel, borders, panel.x_label if labelled[number] else "",
                                 "" if left and left.y_label == panel.y_label else panel.y_label)
    commands += key_script(key, min(4, len(key)), (18 * len(notes) + 12) / height, (foot - 24) / height)
    for number, note in enumerate(reversed(notes)):
        commands.insert(-1, label(note, "screen 0.5", f"screen {(14 + 18 * number) / height:.4f}",
                                  "center font ',12' textcolor rgb '#444444'"))
    return "\n".join(commands + ["unset multiplot", ""])


def draw(path, script, title):
    """The file is only written once it is complete. The title is also the file's own, which browsers show and screen
    readers read."""
    done = subprocess.run(["gnuplot"], input=script, capture_output=True, text=True)
    if done.returncode != 0 or not done.stdout:
        sys.exit(f"gnuplot could not draw {path}:\n{done.stderr}")
    head, rest = done.stdout.split("</desc>", 1)
    head = re.sub("<title>.*</title>", lambda _: f"<title>{html.escape(title)}</title>", head)
    rest = re.sub("<title>.*?</title>", "", rest)  # of curves, by their names in the script
    lines = (text.expandtabs(1).rstrip() for text in (head + "</desc>" + rest).splitlines())
    with open(path, "w") as f:
        f.write("\n".join(text for text in lines if text) + "\n")
