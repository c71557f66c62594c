"""A plot of the ratios: one group of bars for each row, on a log scale, with a background of its own."""

import math
import statistics
from html import escape

from .tables import ratios, row_unit
from .workloads import COMPARED, TITLES, WORKLOADS, title

COLORS = {"c": "#6b7280", "node": "#2f855a", "node-advanced": "#81b29a", "python": "#3b6fb6", "deno": "#8a5aab"}
WIDTH, LEFT, RIGHT, TOP = 960, 300, 70, 90
BAR, GAP = 11, 12


def draw(results, chosen):
    others = [peer for peer in COMPARED if peer in chosen]
    groups = [group for group in all_groups(results, others) if group[1]]
    values = [value for _, bars in groups for _, value in bars] or [1]
    low = min(-1, math.floor(math.log10(min(values))))
    high = max(1, math.ceil(math.log10(max(values))))

    def x(value):
        return LEFT + (math.log10(value) - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    body = []
    y = TOP
    for label, bars in groups:
        middle = y + len(bars) * BAR / 2 + 4
        body.append(text(LEFT - 10, middle, label, "end"))
        for peer, value in bars:
            begin, end = sorted((x(1), x(value)))
            body.append(f'<rect x="{begin:.1f}" y="{y}" width="{max(end - begin, 1):.1f}" height="{BAR - 2}" fill="{COLORS[peer]}"/>')
            at, anchor = (end + 4, "start") if value >= 1 else (begin - 4, "end")
            body.append(text(at, y + BAR - 3, f"{value:.3g}", anchor, 9))
            y += BAR
        y += GAP
    height = y + 20
    grid = []
    for power in range(low, high + 1):
        at = x(10.0**power)
        color = "#374151" if power == 0 else "#d8dce2"
        grid.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{TOP - 8}" y2="{height - 18}" stroke="{color}"/>')
        grid.append(text(at, TOP - 14, f"{10.0**power:g}", "middle", 11))
    head = [
        text(20, 28, "How many times as good as each peer (rates: ours / peer; times, memory: peer / ours)", size=15),
        *legend(others),
    ]
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">',
        f'<rect width="{WIDTH}" height="{height}" rx="8" fill="#fbfbf9"/>',
        *head, *grid, *body, "</svg>",
    ]
    return "\n".join(lines) + "\n"


def all_groups(results, others):
    for name, by_peer in results.items():
        for measure in WORKLOADS[name].measures:
            if measure.key == "share":
                continue
            bars = []
            for peer in others:
                found = ratios(by_peer, peer, measure)
                if found and min(found) > 0:
                    middle = statistics.median(found)
                    bars.append((peer, middle if measure.is_better_high else 1 / middle))
            unit = "" if measure.key == "rate" else ", " + row_unit(measure).rpartition(" ")[0].rstrip(",")
            yield title(name) + unit, bars


def legend(others):
    at = 20
    for peer in others:
        yield f'<rect x="{at}" y="42" width="11" height="11" fill="{COLORS[peer]}"/>'
        yield text(at + 16, 52, TITLES[peer], size=12)
        at += 34 + 8 * len(TITLES[peer])


def text(x, y, words, anchor="start", size=12):
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="#1f2430">{escape(words)}</text>'
